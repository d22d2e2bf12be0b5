"""Linnet: embedded, on-device streaming speech recognition.

    import linnet

    engine = linnet.Engine()                # the model that comes with the package; or Engine("my.linnet")
    print(engine.transcribe_file("speech.wav").text)

    with engine.stream(endpoint_ms=600) as stream:
        for block in microphone:            # int16 or float32: numpy arrays, array.array, memoryviews; bytes are int16
            stream.push(block)
            for event in stream:
                if isinstance(event, linnet.Final):
                    print(event.text)

    with engine.live() as session:          # recognizes on a thread of its own; push from anywhere
        session.push(block)
        ...
        session.stop()
        for event in session:
            ...

What may be said is set for a stream, a session or a recording, and changed while it runs: `hotwords`, `grammar`, `format`
and `policy`. Times are seconds in the stream's audio. Objects may be used by several threads; calls on one stream take
turns, and release the interpreter lock while they compute.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, Iterable, Iterator, List, Literal, Optional, Sequence, Tuple, Type, Union

from . import _native
from ._native import library as _library

__all__ = [
    "Alternative",
    "DeadMicrophone",
    "Device",
    "Engine",
    "EngineInfo",
    "Error",
    "Event",
    "Final",
    "Format",
    "Gap",
    "Grammar",
    "Hotword",
    "Hotwords",
    "Hypothesis",
    "Interim",
    "Interpretation",
    "LanguageModel",
    "Live",
    "LiveEvent",
    "MicrophoneAlive",
    "Notice",
    "Policy",
    "RejectedHotword",
    "Slot",
    "SpeechStarted",
    "State",
    "Stream",
    "Trouble",
    "UtteranceEnd",
    "Word",
    "devices",
    "log",
    "__version__",
]

__version__: str = _library.linnet_version().decode()


class Error(Exception):
    """A call failed. `status` is its number in linnet.h."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Word:
    """A word, where it is in seconds, and how sure the recognizer is of it, 0 to 1. `speaker` is who says it, counted
    from 1; None where speakers are not told apart, or can't be yet."""

    text: str
    start: float
    end: float
    confidence: float
    speaker: Optional[int] = None


@dataclass(frozen=True)
class Hypothesis:
    """The words of an utterance; `confirmed` of them, from the first, don't change any more. `written` is the text as
    the stream's format writes it."""

    text: str
    words: Sequence[Word]
    written: str
    written_words: Sequence[Word]
    confirmed: int
    start: float
    end: float
    confidence: float
    sequence: int


@dataclass(frozen=True)
class Interim(Hypothesis):
    """The words of the running utterance so far."""


@dataclass(frozen=True)
class Slot:
    """A slot of a grammar that an utterance filled."""

    name: str
    value: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Interpretation:
    """What an utterance means in a grammar. When it is not `accepted`, intent and slots are the best guess: ask again."""

    intent: Optional[str]
    slots: Sequence[Slot]
    margin: float
    accepted: bool


@dataclass(frozen=True)
class Alternative:
    """Another hypothesis, with the logarithm of its probability relative to the others."""

    text: str
    score: float


@dataclass(frozen=True)
class Final(Hypothesis):
    """The words of a finished utterance; `speech_final` when a pause ended it. `interpretation` comes with a grammar."""

    speech_final: bool
    from_finalize: bool
    interpretation: Optional[Interpretation]
    alternatives: Sequence[Alternative]


@dataclass(frozen=True)
class SpeechStarted:
    """The first word of an utterance was recognized; it starts `at`."""

    at: float


@dataclass(frozen=True)
class UtteranceEnd:
    """The utterance is over; its last word ends at `last_word_end`."""

    last_word_end: float


@dataclass(frozen=True)
class Gap:
    """Audio between `start` and `end` was lost before it reached the recognizer."""

    start: float
    end: float


@dataclass(frozen=True)
class State:
    """A session is now "connecting", "live", "reconnecting" or "stopped"."""

    state: str


@dataclass(frozen=True)
class Trouble:
    """A session's microphone was lost or can't be opened; it is tried again in so many seconds."""

    message: str
    retry_in: float


@dataclass(frozen=True)
class DeadMicrophone:
    """The microphone has been delivering one and the same value."""

    since: float


@dataclass(frozen=True)
class MicrophoneAlive:
    """A microphone that was dead delivers sound again."""

    since: float


@dataclass(frozen=True)
class Notice:
    """Something that whoever runs the machine may want to know."""

    message: str


Event = Union[SpeechStarted, Interim, Final, UtteranceEnd, Gap]
LiveEvent = Union[Event, State, Trouble, DeadMicrophone, MicrophoneAlive, Notice]


@dataclass(frozen=True)
class Hotword:
    """A phrase that is expected, and other spellings of how it sounds. `boost`: 0.5 to 1.5 suit most."""

    phrase: str
    boost: float = 1.0
    sounds_like: Sequence[str] = ()


@dataclass(frozen=True)
class RejectedHotword:
    """A phrase, or one of its spellings, that is not listened for, and why."""

    phrase: str
    spelling: str
    reason: str


@dataclass(frozen=True)
class Format:
    """How words are written; `redact` takes "numbers", "all_numbers", "cards" and "ssn"."""

    numerals: bool = False
    smart: bool = False
    punctuate: bool = False
    profanity_filter: bool = False
    redact: Sequence[str] = ()
    replace: Sequence[Tuple[str, str]] = ()


@dataclass(frozen=True)
class Policy:
    """When utterances end: silence, a gap between words, length; None for never."""

    endpoint_ms: Optional[int] = 800
    adaptive: bool = True
    unfinished_ms: int = 1200
    utterance_end_ms: Optional[int] = None
    max_utterance_ms: Optional[int] = 30_000

    @staticmethod
    def preset(name: str) -> "Policy":
        """ "conversation", "command", "dictation", "drive_thru" or "phone"."""
        native = _native.Policy()
        _check(_library.linnet_policy_init(ctypes.byref(native), _native.PRESETS.index(name)))
        return Policy._of(native)

    @staticmethod
    def _of(native: _native.Policy) -> "Policy":
        return Policy(
            native.endpoint_ms or None,
            bool(native.adaptive),
            native.unfinished_ms,
            native.utterance_end_ms or None,
            native.max_utterance_ms or None,
        )

    def _native(self) -> _native.Policy:
        native = _native.Policy()
        native.endpoint_ms = self.endpoint_ms or 0
        native.adaptive = self.adaptive
        native.unfinished_ms = self.unfinished_ms
        native.utterance_end_ms = self.utterance_end_ms or 0
        native.max_utterance_ms = self.max_utterance_ms or 0
        return native


@dataclass(frozen=True)
class Device:
    """A microphone: its id, which a session takes, and a name for people."""

    id: str
    name: str


@dataclass(frozen=True)
class EngineInfo:
    """Facts about an opened model."""

    name: str
    language: str
    isa: str
    parameters: int
    size_bytes: int
    vocab_size: int
    frame_ms: float
    chunks_ms: Sequence[int]
    default_chunk_ms: int
    speakers: bool


def _check(status: int) -> None:
    if status != 0:
        name = _library.linnet_status_name(status).decode()
        raise Error(status, f"{name}: {_library.linnet_last_error().decode()}")


def _words(words: Any, count: int) -> Tuple[Word, ...]:
    return tuple(
        Word(word.text.decode(), word.start_ms / 1000, word.end_ms / 1000, word.confidence, word.speaker or None)
        for word in words[:count]
    )


def _hypothesis(event: _native.Event) -> Dict[str, Any]:
    return {
        "text": event.text.decode(),
        "words": _words(event.words, event.words_len),
        "written": event.written.decode(),
        "written_words": _words(event.written_words, event.written_words_len),
        "confirmed": event.confirmed,
        "start": event.start_ms / 1000,
        "end": event.end_ms / 1000,
        "confidence": event.confidence,
        "sequence": event.sequence,
    }


def _final(event: _native.Event) -> Final:
    interpretation = None
    if event.interpreted:
        slots = tuple(
            Slot(slot.name.decode(), slot.value.decode(), slot.start_ms / 1000, slot.end_ms / 1000, slot.confidence)
            for slot in event.slots[: event.slots_len]
        )
        intent = event.intent.decode() if event.intent is not None else None
        interpretation = Interpretation(intent, slots, event.margin, event.accepted)
    return Final(
        speech_final=event.speech_final,
        from_finalize=event.from_finalize,
        interpretation=interpretation,
        alternatives=tuple(
            Alternative(other.text.decode(), other.score) for other in event.alternatives[: event.alternatives_len]
        ),
        **_hypothesis(event),
    )


def _event(event: _native.Event) -> Optional[LiveEvent]:
    start, end = event.start_ms / 1000, event.end_ms / 1000
    makers: Dict[int, Callable[[], LiveEvent]] = {
        _native.EVENT_SPEECH_STARTED: lambda: SpeechStarted(start),
        _native.EVENT_INTERIM: lambda: Interim(**_hypothesis(event)),
        _native.EVENT_FINAL: lambda: _final(event),
        _native.EVENT_UTTERANCE_END: lambda: UtteranceEnd(end),
        _native.EVENT_GAP: lambda: Gap(start, end),
        _native.EVENT_STATE: lambda: State(_native.STATES[event.state]),
        _native.EVENT_TROUBLE: lambda: Trouble(event.text.decode(), end - start),
        _native.EVENT_DEAD_MICROPHONE: lambda: DeadMicrophone(start),
        _native.EVENT_MICROPHONE_ALIVE: lambda: MicrophoneAlive(start),
        _native.EVENT_NOTICE: lambda: Notice(event.text.decode()),
    }
    maker = makers.get(event.kind)
    return maker() if maker else None


def _c_string(text: str) -> bytes:
    data = text.encode()
    if b"\0" in data:
        raise ValueError(f"{text!r} has a zero in it")
    return data


def _format(format: Optional[Format]) -> Optional[_native.FormatConfig]:
    if format is None:
        return None
    native = _native.FormatConfig()
    native.numerals, native.smart = format.numerals, format.smart
    native.punctuate, native.profanity_filter = format.punctuate, format.profanity_filter
    for name in format.redact:
        native.redact |= _native.REDACTIONS[name]
    pairs = [_native.Replacement(_c_string(said), _c_string(written)) for said, written in format.replace]
    # ctypes keeps what a field points to alive for as long as the struct.
    native.replacements = (_native.Replacement * len(pairs))(*pairs)
    native.replacements_len = len(pairs)
    return native


def _pointer(native: Optional[ctypes.Structure]) -> Any:
    return None if native is None else ctypes.byref(native)


def devices() -> List[Device]:
    """The microphones of the system; an error where the library was built without capture."""
    handle = ctypes.c_uint64(0)
    _check(_library.linnet_devices_list(ctypes.byref(handle)))
    try:
        count, native, found = ctypes.c_size_t(0), _native.Device(), []
        _check(_library.linnet_devices_len(handle, ctypes.byref(count)))
        for index in range(count.value):
            _check(_library.linnet_devices_get(handle, index, ctypes.byref(native)))
            found.append(Device(native.id.decode(), native.name.decode()))
        return found
    finally:
        _library.linnet_devices_free(handle)


_log_callback: Any = None


def log(on_message: Optional[Callable[[str, str, str], None]], level: str = "info") -> None:
    """Calls a function with level, target and text of each of the library's messages, on any thread; None ends it."""
    global _log_callback
    names = {number: name for name, number in _native.LOG_LEVELS.items()}

    def call(_: Any, number: int, target: bytes, message: bytes) -> None:
        if on_message is not None:
            on_message(names[number], target.decode(), message.decode())

    callback = _native.LogCallback(call) if on_message is not None else _native.LogCallback()
    _check(_library.linnet_log(callback, None, _native.LOG_LEVELS[level]))
    _log_callback = callback


def _samples(samples: Any, channels: int) -> Tuple[str, Any, int]:
    """The format ("i16" or "f32"), something that ctypes passes as an address, and the number of frames."""
    view = memoryview(samples)
    formats = {"h": "i16", "f": "f32", "B": "i16", "b": "i16", "c": "i16"}
    kind = formats.get(view.format.lstrip("@=<" if sys.byteorder == "little" else "@=>"))
    if kind is None or not view.c_contiguous:
        raise TypeError(f"samples are contiguous int16 or float32, or bytes of int16; got format {view.format!r}")
    frames, rest = divmod(view.nbytes, channels * (2 if kind == "i16" else 4))
    if rest:
        raise ValueError(f"{view.nbytes} bytes are not whole {kind} frames of {channels} channels")
    if view.nbytes == 0:
        return kind, None, 0
    if view.readonly:
        return kind, view.tobytes(), frames
    return kind, (ctypes.c_char * view.nbytes).from_buffer(view.cast("B")), frames


class _Handle:
    """Something that the library holds until it is closed."""

    _free: str

    def __init__(self) -> None:
        self._handle = ctypes.c_uint64(0)

    def close(self) -> None:
        """Gives it back. Closing again does nothing."""
        handle, self._handle = self._handle, ctypes.c_uint64(0)
        _check(getattr(_library, self._free)(handle))

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            getattr(_library, self._free)(self._handle)

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


class Hotwords(_Handle):
    """Compiled hotwords, for any number of streams. `rejected` are those that can't be listened for."""

    _free = "linnet_hotwords_free"

    def __init__(self, engine: "Engine", hotwords: Iterable[Union[str, Hotword]]) -> None:
        super().__init__()
        given = [Hotword(hotword) if isinstance(hotword, str) else hotword for hotword in hotwords]
        natives = (_native.Hotword * len(given))()
        for native, hotword in zip(natives, given):
            sounds = [_c_string(sound) for sound in hotword.sounds_like]
            native.phrase, native.boost = _c_string(hotword.phrase), hotword.boost
            native.sounds_like = (ctypes.c_char_p * len(sounds))(*sounds)
            native.sounds_like_len = len(sounds)
        _check(_library.linnet_hotwords_new(engine._handle, natives, len(given), ctypes.byref(self._handle)))
        count, native = ctypes.c_size_t(0), _native.RejectedHotword()
        _check(_library.linnet_hotwords_rejected_len(self._handle, ctypes.byref(count)))
        rejected = []
        for index in range(count.value):
            _check(_library.linnet_hotwords_rejected(self._handle, index, ctypes.byref(native)))
            rejected.append(RejectedHotword(native.phrase.decode(), native.spelling.decode(), native.reason.decode()))
        self.rejected: Sequence[RejectedHotword] = tuple(rejected)


class Grammar(_Handle):
    """A compiled grammar (a subset of JSGF), for any number of streams."""

    _free = "linnet_grammar_free"

    def __init__(
        self,
        engine: "Engine",
        source: str,
        rejection: Optional[float] = None,
        letter_reward: Optional[float] = None,
    ) -> None:
        super().__init__()
        native = _native.GrammarConfig()
        _check(_library.linnet_grammar_config_init(ctypes.byref(native)))
        if rejection is not None:
            native.rejection = rejection
        if letter_reward is not None:
            native.letter_reward = letter_reward
        text = _c_string(source)
        _check(_library.linnet_grammar_new(engine._handle, text, ctypes.byref(native), ctypes.byref(self._handle)))


class LanguageModel(_Handle):
    """An n-gram model over the pieces of the engine's model (`linnet lm` makes one of a text), from a file or from bytes,
    for any number of streams. Without a weight and a reward it counts as much as the file says."""

    _free = "linnet_language_model_free"

    def __init__(
        self,
        engine: "Engine",
        source: Union[str, "PathLike[str]", bytes],
        weight: Optional[float] = None,
        token_reward: Optional[float] = None,
    ) -> None:
        super().__init__()
        native = _native.LanguageModelConfig()
        _check(_library.linnet_language_model_config_init(ctypes.byref(native)))
        if weight is not None:
            native.weight = weight
        if token_reward is not None:
            native.token_reward = token_reward
        config = None if weight is None and token_reward is None else ctypes.byref(native)
        out = ctypes.byref(self._handle)
        if isinstance(source, bytes):
            status = _library.linnet_language_model_open_memory(engine._handle, source, len(source), config, out)
        else:
            status = _library.linnet_language_model_open(engine._handle, fspath(source).encode(), config, out)
        _check(status)


def _stream_config(
    hotwords: Optional[Hotwords],
    grammar: Optional[Grammar],
    format: Optional[Format],
    language_model: Union[LanguageModel, Literal[False], None],
    config: Dict[str, Any],
) -> Tuple[_native.StreamConfig, Any]:
    """The settings, and what they point to, which must live as long."""
    native, native_format = _native.StreamConfig(), _format(format)
    _check(_library.linnet_stream_config_init(ctypes.byref(native)))
    numbers = {name: kind for name, kind in native._fields_[1:] if kind in (ctypes.c_uint32, ctypes.c_float)}
    for name, value in config.items():
        if name not in numbers:
            raise TypeError(f"there is no setting {name!r}; the settings are {', '.join(numbers)}")
        if numbers[name] is ctypes.c_uint32 and not 0 <= value <= 0xFFFF_FFFF:
            raise ValueError(f"{name} is {value}; it takes 0 to 4294967295")
        setattr(native, name, value)
    native.hotwords = hotwords._handle.value if hotwords is not None else 0
    native.grammar = grammar._handle.value if grammar is not None else 0
    if language_model is False:
        native.language_model = _native.NO_LANGUAGE_MODEL
    else:
        native.language_model = language_model._handle.value if language_model is not None else 0
    native.format = ctypes.addressof(native_format) if native_format is not None else None
    return native, native_format


class Engine(_Handle):
    """An opened model: the one that comes with the package, or one from a file or from bytes. Share it between streams
    and threads."""

    _free = "linnet_engine_free"

    def __init__(self, model: Union[str, "PathLike[str]", bytes, None] = None) -> None:
        super().__init__()
        if model is None:
            model = Path(__file__).with_name("linnet-en.linnet")
        if isinstance(model, bytes):
            _check(_library.linnet_engine_open_memory(model, len(model), ctypes.byref(self._handle)))
        else:
            _check(_library.linnet_engine_open(fspath(model).encode(), ctypes.byref(self._handle)))

    @property
    def info(self) -> EngineInfo:
        """Facts about the model."""
        info = _native.EngineInfo()
        _check(_library.linnet_engine_info(self._handle, ctypes.byref(info)))
        return EngineInfo(
            name=info.name.decode(),
            language=info.language.decode(),
            isa=info.isa.decode(),
            parameters=info.parameters,
            size_bytes=info.size_bytes,
            vocab_size=info.vocab_size,
            frame_ms=info.frame_us / 1000,
            chunks_ms=tuple(info.chunks_ms[: info.chunks_len]),
            default_chunk_ms=info.default_chunk_ms,
            speakers=bool(info.speakers),
        )

    def hotwords(self, hotwords: Iterable[Union[str, Hotword]]) -> Hotwords:
        """Compiles phrases to listen for."""
        return Hotwords(self, hotwords)

    def grammar(
        self, source: str, rejection: Optional[float] = None, letter_reward: Optional[float] = None
    ) -> Grammar:
        """Compiles a grammar of what can be said."""
        return Grammar(self, source, rejection, letter_reward)

    def language_model(
        self,
        source: Union[str, "PathLike[str]", bytes],
        weight: Optional[float] = None,
        token_reward: Optional[float] = None,
    ) -> LanguageModel:
        """Reads an n-gram model from a file or from bytes."""
        return LanguageModel(self, source, weight, token_reward)

    def stream(
        self,
        hotwords: Optional[Hotwords] = None,
        grammar: Optional[Grammar] = None,
        format: Optional[Format] = None,
        language_model: Union[LanguageModel, Literal[False], None] = None,
        **config: float,
    ) -> "Stream":
        """Starts a stream. Other keywords are the fields of linnet_stream_config_t."""
        return Stream(self, hotwords, grammar, format, language_model, **config)

    def live(
        self,
        microphone: Union[bool, str] = False,
        hotwords: Optional[Hotwords] = None,
        grammar: Optional[Grammar] = None,
        format: Optional[Format] = None,
        buffer_ms: int = 5000,
        realtime_priority: bool = True,
        language_model: Union[LanguageModel, Literal[False], None] = None,
        **config: float,
    ) -> "Live":
        """Starts a session: what is pushed is recognized on a thread of its own; with `microphone` (True, or an id) it
        captures by itself. Other keywords are the fields of linnet_stream_config_t."""
        return Live(
            self, microphone, hotwords, grammar, format, buffer_ms, realtime_priority, language_model, **config
        )

    def transcribe_file(
        self,
        path: Union[str, "PathLike[str]"],
        hotwords: Optional[Hotwords] = None,
        grammar: Optional[Grammar] = None,
        format: Optional[Format] = None,
        language_model: Union[LanguageModel, Literal[False], None] = None,
        **config: float,
    ) -> Final:
        """Recognizes an audio file: WAV, FLAC, MP3 or Ogg Vorbis."""
        transcript, (native, _keep) = ctypes.c_uint64(0), _stream_config(hotwords, grammar, format, language_model, config)
        file = fspath(path).encode()
        _check(
            _library.linnet_transcribe_file(self._handle, file, ctypes.byref(native), ctypes.byref(transcript))
        )
        return self._take(transcript)

    def transcribe(
        self,
        samples: Any,
        sample_rate_hz: int = 16_000,
        channels: int = 1,
        hotwords: Optional[Hotwords] = None,
        grammar: Optional[Grammar] = None,
        format: Optional[Format] = None,
        language_model: Union[LanguageModel, Literal[False], None] = None,
        **config: float,
    ) -> Final:
        """Recognizes a whole recording of int16 or float32 samples, interleaved."""
        kind, data, frames = _samples(samples, channels)
        transcript, (native, _keep) = ctypes.c_uint64(0), _stream_config(hotwords, grammar, format, language_model, config)
        call = getattr(_library, f"linnet_transcribe_{kind}")
        _check(
            call(
                self._handle, data, frames, sample_rate_hz, channels, ctypes.byref(native), ctypes.byref(transcript)
            )
        )
        return self._take(transcript)

    @staticmethod
    def _take(transcript: ctypes.c_uint64) -> Final:
        event = _native.Event()
        try:
            _check(_library.linnet_transcript_get(transcript, ctypes.byref(event)))
            return _final(event)
        finally:
            _library.linnet_transcript_free(transcript)


class Stream(_Handle):
    """One audio stream: push samples, then iterate over the events that came of them."""

    _free = "linnet_stream_free"

    def __init__(
        self,
        engine: Engine,
        hotwords: Optional[Hotwords] = None,
        grammar: Optional[Grammar] = None,
        format: Optional[Format] = None,
        language_model: Union[LanguageModel, Literal[False], None] = None,
        **config: float,
    ) -> None:
        super().__init__()
        native, _keep = _stream_config(hotwords, grammar, format, language_model, config)
        self._channels: int = native.channels
        _check(_library.linnet_stream_new(engine._handle, ctypes.byref(native), ctypes.byref(self._handle)))

    def push(self, samples: Any) -> None:
        """Takes interleaved samples: int16, or float32 in -1..1; bytes are int16."""
        kind, data, frames = _samples(samples, self._channels)
        _check(getattr(_library, f"linnet_stream_push_{kind}")(self._handle, data, frames))

    def poll(self) -> Optional[Event]:
        """The oldest event that was not polled yet, None when there is none. Not for two threads at a time."""
        event = _native.Event()
        _check(_library.linnet_stream_poll(self._handle, ctypes.byref(event)))
        return _event(event)  # type: ignore[return-value]  # a stream has no events of sessions

    def __iter__(self) -> Iterator[Event]:
        """The events up to now."""
        event = self.poll()
        while event is not None:
            yield event
            event = self.poll()

    def finalize(self) -> None:
        """Makes a final of all audio so far; the stream goes on."""
        _check(_library.linnet_stream_finalize(self._handle))

    def finish(self) -> None:
        """Makes a final of all audio so far, and ends the stream."""
        _check(_library.linnet_stream_finish(self._handle))

    def reset(self) -> None:
        """Starts anew at position zero."""
        _check(_library.linnet_stream_reset(self._handle))

    def set_hotwords(self, hotwords: Optional[Hotwords]) -> None:
        """Listens for other hotwords from the next chunk on, or for none."""
        _check(_library.linnet_stream_set_hotwords(self._handle, hotwords._handle if hotwords is not None else 0))

    def set_grammar(self, grammar: Optional[Grammar]) -> None:
        """Keeps to another grammar from the next utterance on, or to none."""
        _check(_library.linnet_stream_set_grammar(self._handle, grammar._handle if grammar is not None else 0))

    def set_format(self, format: Optional[Format]) -> None:
        """Writes words in another way from the next event on."""
        _check(_library.linnet_stream_set_format(self._handle, _pointer(_format(format))))

    @property
    def policy(self) -> Policy:
        """When utterances end; it may be changed at any time."""
        native = _native.Policy()
        _check(_library.linnet_stream_policy(self._handle, ctypes.byref(native)))
        return Policy._of(native)

    @policy.setter
    def policy(self, policy: Policy) -> None:
        _check(_library.linnet_stream_set_policy(self._handle, ctypes.byref(policy._native())))

    @property
    def chunk_ms(self) -> int:
        """Audio per step of the encoder; setting it takes the nearest that the model was trained with."""
        chunk_ms = ctypes.c_uint32(0)
        _check(_library.linnet_stream_chunk_ms(self._handle, ctypes.byref(chunk_ms)))
        return chunk_ms.value

    @chunk_ms.setter
    def chunk_ms(self, chunk_ms: int) -> None:
        _check(_library.linnet_stream_set_chunk_ms(self._handle, chunk_ms))

    @property
    def position(self) -> float:
        """Up to where audio was pushed, in seconds."""
        position_ms = ctypes.c_uint64(0)
        _check(_library.linnet_stream_position_ms(self._handle, ctypes.byref(position_ms)))
        return position_ms.value / 1000

    @property
    def real_time_factor(self) -> float:
        """Processing time over audio time: below 1 is faster than real time."""
        metrics = _native.Metrics()
        _check(_library.linnet_stream_metrics(self._handle, ctypes.byref(metrics)))
        return metrics.real_time_factor


class Live(_Handle):
    """A session on threads of the library: push samples, or let it capture; iterate over the events until it stops."""

    _free = "linnet_live_free"

    def __init__(
        self,
        engine: Engine,
        microphone: Union[bool, str] = False,
        hotwords: Optional[Hotwords] = None,
        grammar: Optional[Grammar] = None,
        format: Optional[Format] = None,
        buffer_ms: int = 5000,
        realtime_priority: bool = True,
        language_model: Union[LanguageModel, Literal[False], None] = None,
        **config: float,
    ) -> None:
        super().__init__()
        stream, _keep = _stream_config(hotwords, grammar, format, language_model, config)
        native = _native.LiveConfig()
        _check(_library.linnet_live_config_init(ctypes.byref(native)))
        native.source = _native.SOURCE_MICROPHONE if microphone else _native.SOURCE_PUSH
        native.device = _c_string(microphone) if isinstance(microphone, str) else None
        native.stream = ctypes.pointer(stream)
        native.buffer_ms, native.realtime_priority = buffer_ms, realtime_priority
        self._channels: int = stream.channels
        _check(_library.linnet_live_start(engine._handle, ctypes.byref(native), ctypes.byref(self._handle)))

    def push(self, samples: Any) -> None:
        """Takes interleaved samples: int16, or float32 in -1..1; bytes are int16. Returns at once."""
        kind, data, frames = _samples(samples, self._channels)
        _check(getattr(_library, f"linnet_live_push_{kind}")(self._handle, data, frames))

    def next(self, timeout: float = 1.0) -> Optional[LiveEvent]:
        """The next event, waiting so many seconds for it; None when none came. Not for two threads at a time."""
        event = _native.Event()
        _check(_library.linnet_live_next(self._handle, ctypes.byref(event), max(0, int(timeout * 1000))))
        return _event(event)

    def __iter__(self) -> Iterator[LiveEvent]:
        """The events until the session has stopped, which is the last."""
        while True:
            event = self.next()
            if event is not None:
                yield event
            if event == State("stopped"):
                return

    @property
    def state(self) -> str:
        """ "connecting", "live", "reconnecting" or "stopped"; it may be ahead of the events."""
        state = ctypes.c_int32(0)
        _check(_library.linnet_live_state(self._handle, ctypes.byref(state)))
        return _native.STATES[state.value]

    def finalize(self) -> None:
        """Makes a final of all audio so far; it comes as an event."""
        _check(_library.linnet_live_finalize(self._handle))

    def stop(self) -> None:
        """Ends the audio: what was pushed or captured is recognized, then the session stops."""
        _check(_library.linnet_live_stop(self._handle))

    def set_hotwords(self, hotwords: Optional[Hotwords]) -> None:
        """Listens for other hotwords, or for none."""
        _check(_library.linnet_live_set_hotwords(self._handle, hotwords._handle if hotwords is not None else 0))

    def set_grammar(self, grammar: Optional[Grammar]) -> None:
        """Keeps to another grammar, or to none."""
        _check(_library.linnet_live_set_grammar(self._handle, grammar._handle if grammar is not None else 0))

    def set_format(self, format: Optional[Format]) -> None:
        """Writes words in another way."""
        _check(_library.linnet_live_set_format(self._handle, _pointer(_format(format))))

    def set_policy(self, policy: Policy) -> None:
        """Ends utterances by other rules."""
        _check(_library.linnet_live_set_policy(self._handle, ctypes.byref(policy._native())))

    def metrics(self) -> Dict[str, Any]:
        """What the session measured of itself: the fields of linnet_session_metrics_t, stages as dictionaries."""
        native = _native.SessionMetrics()
        _check(_library.linnet_live_session_metrics(self._handle, ctypes.byref(native)))
        values = {name: getattr(native, name) for name, _ in native._fields_[1:]}
        return {
            name: {part: getattr(value, part) for part, _ in value._fields_}
            if isinstance(value, ctypes.Structure)
            else value
            for name, value in values.items()
        }
