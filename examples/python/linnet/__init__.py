"""Linnet: embedded, on-device streaming speech recognition.

    import linnet

    engine = linnet.Engine("linnet-en.linnet")
    print(engine.transcribe_file("speech.wav").text)

    with engine.stream(endpoint_ms=600) as stream:
        for block in microphone:            # int16 or float32: numpy arrays, array.array, memoryviews; bytes are int16
            stream.push(block)
            for event in stream:
                if isinstance(event, linnet.Final):
                    print(event.text)

Times are seconds in the stream's audio. Objects may be used by several threads; calls on one stream take turns, and
release the interpreter lock while they compute.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from os import PathLike, fspath
from types import TracebackType
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Type, Union

from . import _native
from ._native import library as _library

__all__ = [
    "Engine",
    "EngineInfo",
    "Error",
    "Event",
    "Final",
    "Gap",
    "Hypothesis",
    "Interim",
    "SpeechStarted",
    "Stream",
    "UtteranceEnd",
    "Word",
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
    """A word, where it is in seconds, and how sure the recognizer is of it, 0 to 1."""

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Hypothesis:
    """The words of an utterance; `confirmed` of them, from the first, don't change any more."""

    text: str
    words: Sequence[Word]
    confirmed: int
    start: float
    end: float
    confidence: float
    sequence: int


@dataclass(frozen=True)
class Interim(Hypothesis):
    """The words of the running utterance so far."""


@dataclass(frozen=True)
class Final(Hypothesis):
    """The words of a finished utterance; `speech_final` when a pause ended it."""

    speech_final: bool
    from_finalize: bool


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


Event = Union[SpeechStarted, Interim, Final, UtteranceEnd, Gap]


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


def _check(status: int) -> None:
    if status != 0:
        name = _library.linnet_status_name(status).decode()
        raise Error(status, f"{name}: {_library.linnet_last_error().decode()}")


def _hypothesis(event: _native.Event) -> Dict[str, Any]:
    words = tuple(
        Word(word.text.decode(), word.start_ms / 1000, word.end_ms / 1000, word.confidence)
        for word in event.words[: event.words_len]
    )
    return {
        "text": event.text.decode(),
        "words": words,
        "confirmed": event.confirmed,
        "start": event.start_ms / 1000,
        "end": event.end_ms / 1000,
        "confidence": event.confidence,
        "sequence": event.sequence,
    }


def _final(event: _native.Event) -> Final:
    return Final(speech_final=event.speech_final, from_finalize=event.from_finalize, **_hypothesis(event))


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


class Engine(_Handle):
    """An opened model, from a file or from bytes. Share it between streams and threads."""

    _free = "linnet_engine_free"

    def __init__(self, model: Union[str, "PathLike[str]", bytes]) -> None:
        super().__init__()
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
        )

    def stream(self, **config: int) -> "Stream":
        """Starts a stream. Keywords are the fields of linnet_stream_config_t."""
        return Stream(self, **config)

    def transcribe_file(self, path: Union[str, "PathLike[str]"]) -> Final:
        """Recognizes an audio file: WAV, FLAC, MP3 or Ogg Vorbis."""
        transcript = ctypes.c_uint64(0)
        _check(_library.linnet_transcribe_file(self._handle, fspath(path).encode(), ctypes.byref(transcript)))
        return self._take(transcript)

    def transcribe(self, samples: Any, sample_rate_hz: int = 16_000, channels: int = 1) -> Final:
        """Recognizes a whole recording of int16 or float32 samples, interleaved."""
        kind, data, frames = _samples(samples, channels)
        transcript = ctypes.c_uint64(0)
        call = getattr(_library, f"linnet_transcribe_{kind}")
        _check(call(self._handle, data, frames, sample_rate_hz, channels, ctypes.byref(transcript)))
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

    def __init__(self, engine: Engine, **config: int) -> None:
        super().__init__()
        native = _native.StreamConfig()
        _check(_library.linnet_stream_config_init(ctypes.byref(native)))
        fields: List[str] = [name for name, _ in native._fields_[1:]]
        for name, value in config.items():
            if name not in fields:
                raise TypeError(f"there is no setting {name!r}; the settings are {', '.join(fields)}")
            if not 0 <= value <= 0xFFFF_FFFF:
                raise ValueError(f"{name} is {value}; it takes 0 to 4294967295")
            setattr(native, name, value)
        self._channels: int = native.channels
        _check(_library.linnet_stream_new(engine._handle, ctypes.byref(native), ctypes.byref(self._handle)))

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def push(self, samples: Any) -> None:
        """Takes interleaved samples: int16, or float32 in -1..1; bytes are int16."""
        kind, data, frames = _samples(samples, self._channels)
        _check(getattr(_library, f"linnet_stream_push_{kind}")(self._handle, data, frames))

    def poll(self) -> Optional[Event]:
        """The oldest event that was not polled yet, None when there is none. Not for two threads at a time."""
        event = _native.Event()
        _check(_library.linnet_stream_poll(self._handle, ctypes.byref(event)))
        start, end = event.start_ms / 1000, event.end_ms / 1000
        if event.kind == _native.EVENT_FINAL:
            return _final(event)
        if event.kind == _native.EVENT_INTERIM:
            return Interim(**_hypothesis(event))
        if event.kind == _native.EVENT_SPEECH_STARTED:
            return SpeechStarted(start)
        if event.kind == _native.EVENT_UTTERANCE_END:
            return UtteranceEnd(end)
        if event.kind == _native.EVENT_GAP:
            return Gap(start, end)
        return None

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
