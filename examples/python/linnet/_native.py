"""The C ABI in ctypes: structs and functions as in linnet.h, and the search for the library."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from ctypes import POINTER, c_bool, c_char_p, c_double, c_float, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Iterator

ABI_VERSION = 2

(
    EVENT_NONE,
    EVENT_SPEECH_STARTED,
    EVENT_INTERIM,
    EVENT_FINAL,
    EVENT_UTTERANCE_END,
    EVENT_GAP,
    EVENT_STATE,
    EVENT_TROUBLE,
    EVENT_DEAD_MICROPHONE,
    EVENT_MICROPHONE_ALIVE,
    EVENT_NOTICE,
) = range(11)

STATES = ("none", "connecting", "live", "reconnecting", "stopped")
STATE_STOPPED = 4
SOURCE_PUSH, SOURCE_MICROPHONE = 0, 1
PRESETS = ("conversation", "command", "dictation", "drive_thru", "phone")
REDACTIONS = {"numbers": 1, "all_numbers": 2, "cards": 4, "ssn": 8}
LOG_LEVELS = {"off": 0, "error": 1, "warn": 2, "info": 3, "debug": 4}

LogCallback = ctypes.CFUNCTYPE(None, c_void_p, c_uint32, c_char_p, c_char_p)


class Versioned(ctypes.Structure):
    """A struct that begins with its size."""

    def __init__(self) -> None:
        super().__init__()
        self.size = ctypes.sizeof(self)


class StreamConfig(Versioned):
    _fields_ = [
        ("size", c_size_t),
        ("sample_rate_hz", c_uint32),
        ("channels", c_uint32),
        ("chunk_ms", c_uint32),
        ("interim_results", c_uint32),
        ("interim_interval_ms", c_uint32),
        ("endpoint_ms", c_uint32),
        ("max_utterance_ms", c_uint32),
        ("max_symbols_per_frame", c_uint32),
        ("adaptive_endpointing", c_uint32),
        ("unfinished_ms", c_uint32),
        ("utterance_end_ms", c_uint32),
        ("gate", c_uint32),
        ("beam_width", c_uint32),
        ("alternatives", c_uint32),
        ("hotwords", c_uint64),
        ("grammar", c_uint64),
        ("format", c_void_p),
        ("speakers", c_uint32),
        ("speaker_threshold", c_float),
        ("language_model", c_uint64),
        ("second_pass", c_uint32),
    ]


class Replacement(ctypes.Structure):
    _fields_ = [("said", c_char_p), ("written", c_char_p)]


class FormatConfig(Versioned):
    _fields_ = [
        ("size", c_size_t),
        ("numerals", c_uint32),
        ("smart", c_uint32),
        ("punctuate", c_uint32),
        ("profanity_filter", c_uint32),
        ("redact", c_uint32),
        ("reserved", c_uint32),
        ("replacements", POINTER(Replacement)),
        ("replacements_len", c_size_t),
    ]


class Policy(Versioned):
    _fields_ = [
        ("size", c_size_t),
        ("endpoint_ms", c_uint32),
        ("adaptive", c_uint32),
        ("unfinished_ms", c_uint32),
        ("utterance_end_ms", c_uint32),
        ("max_utterance_ms", c_uint32),
        ("reserved", c_uint32),
    ]


class Hotword(ctypes.Structure):
    _fields_ = [
        ("phrase", c_char_p),
        ("boost", c_float),
        ("reserved", c_uint32),
        ("sounds_like", POINTER(c_char_p)),
        ("sounds_like_len", c_size_t),
    ]


class RejectedHotword(Versioned):
    _fields_ = [("size", c_size_t), ("phrase", c_char_p), ("spelling", c_char_p), ("reason", c_char_p)]


class GrammarConfig(Versioned):
    _fields_ = [("size", c_size_t), ("rejection", c_float), ("letter_reward", c_float)]


NO_LANGUAGE_MODEL = 1


class LanguageModelConfig(Versioned):
    _fields_ = [("size", c_size_t), ("weight", c_float), ("token_reward", c_float)]


class Device(Versioned):
    _fields_ = [("size", c_size_t), ("id", c_char_p), ("name", c_char_p)]


class LiveConfig(Versioned):
    _fields_ = [
        ("size", c_size_t),
        ("source", c_uint32),
        ("buffer_ms", c_uint32),
        ("device", c_char_p),
        ("stream", POINTER(StreamConfig)),
        ("realtime_priority", c_uint32),
        ("event_fd", c_uint32),
        ("on_event", c_void_p),
        ("user_data", c_void_p),
    ]


class EngineInfo(Versioned):
    _fields_ = [
        ("size", c_size_t),
        ("name", c_char_p),
        ("language", c_char_p),
        ("isa", c_char_p),
        ("parameters", c_uint64),
        ("size_bytes", c_uint64),
        ("vocab_size", c_uint32),
        ("frame_us", c_uint32),
        ("chunks_ms", POINTER(c_uint32)),
        ("chunks_len", c_size_t),
        ("default_chunk_ms", c_uint32),
        ("left_context_frames", c_uint32),
        ("speakers", c_uint32),
        ("reserved", c_uint32),
    ]


class Word(ctypes.Structure):
    _fields_ = [
        ("text", c_char_p),
        ("text_len", c_size_t),
        ("start_ms", c_uint64),
        ("end_ms", c_uint64),
        ("confidence", c_float),
        ("speaker", c_uint32),
    ]


class Slot(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("value", c_char_p),
        ("start_ms", c_uint64),
        ("end_ms", c_uint64),
        ("confidence", c_float),
        ("reserved", c_uint32),
    ]


class Alternative(ctypes.Structure):
    _fields_ = [("text", c_char_p), ("text_len", c_size_t), ("score", c_float), ("reserved", c_uint32)]


class Event(Versioned):
    _fields_ = [
        ("size", c_size_t),
        ("kind", c_int32),
        ("confidence", c_float),
        ("sequence", c_uint64),
        ("start_ms", c_uint64),
        ("end_ms", c_uint64),
        ("text", c_char_p),
        ("text_len", c_size_t),
        ("words", POINTER(Word)),
        ("words_len", c_size_t),
        ("confirmed", c_size_t),
        ("speech_final", c_bool),
        ("from_finalize", c_bool),
        ("state", c_int32),
        ("written", c_char_p),
        ("written_len", c_size_t),
        ("written_words", POINTER(Word)),
        ("written_words_len", c_size_t),
        ("intent", c_char_p),
        ("slots", POINTER(Slot)),
        ("slots_len", c_size_t),
        ("alternatives", POINTER(Alternative)),
        ("alternatives_len", c_size_t),
        ("margin", c_float),
        ("interpreted", c_bool),
        ("accepted", c_bool),
    ]


class StageTimes(ctypes.Structure):
    _fields_ = [(name, c_uint64) for name in ("count", "total_us", "p50_us", "p95_us", "p99_us", "max_us")]


class Metrics(Versioned):
    _fields_ = [
        ("size", c_size_t),
        ("audio_ms", c_uint64),
        ("chunks", c_uint64),
        ("frames", c_uint64),
        ("tokens", c_uint64),
        ("real_time_factor", c_double),
        ("features", StageTimes),
        ("encoder", StageTimes),
        ("decode", StageTimes),
        ("step", StageTimes),
        ("gated_ms", c_uint64),
        ("bad_samples", c_uint64),
    ]


class SessionMetrics(Versioned):
    _fields_ = [
        ("size", c_size_t),
        ("queue", StageTimes),
        ("delivery", StageTimes),
        ("capture_to_event", StageTimes),
        *(
            (name, c_uint64)
            for name in (
                "overruns",
                "longer_chunks",
                "dropped_ms",
                "gaps",
                "gap_ms",
                "glitches",
                "losses",
                "failed_attempts",
                "recoveries",
                "last_recovery_ms",
                "longest_recovery_ms",
            )
        ),
        ("drift_ppm", c_double),
        ("level_rms_db", c_float),
        ("level_peak_db", c_float),
    ]


_FUNCTIONS = {
    "linnet_engine_open": [c_char_p, POINTER(c_uint64)],
    "linnet_engine_open_memory": [c_char_p, c_size_t, POINTER(c_uint64)],
    "linnet_engine_free": [c_uint64],
    "linnet_engine_info": [c_uint64, POINTER(EngineInfo)],
    "linnet_stream_config_init": [POINTER(StreamConfig)],
    "linnet_stream_new": [c_uint64, POINTER(StreamConfig), POINTER(c_uint64)],
    "linnet_stream_free": [c_uint64],
    "linnet_stream_push_f32": [c_uint64, c_void_p, c_size_t],
    "linnet_stream_push_i16": [c_uint64, c_void_p, c_size_t],
    "linnet_stream_poll": [c_uint64, POINTER(Event)],
    "linnet_stream_finalize": [c_uint64],
    "linnet_stream_finish": [c_uint64],
    "linnet_stream_reset": [c_uint64],
    "linnet_stream_set_chunk_ms": [c_uint64, c_uint32],
    "linnet_stream_chunk_ms": [c_uint64, POINTER(c_uint32)],
    "linnet_stream_position_ms": [c_uint64, POINTER(c_uint64)],
    "linnet_stream_metrics": [c_uint64, POINTER(Metrics)],
    "linnet_stream_set_hotwords": [c_uint64, c_uint64],
    "linnet_stream_set_grammar": [c_uint64, c_uint64],
    "linnet_stream_set_format": [c_uint64, POINTER(FormatConfig)],
    "linnet_stream_set_policy": [c_uint64, POINTER(Policy)],
    "linnet_stream_policy": [c_uint64, POINTER(Policy)],
    "linnet_policy_init": [POINTER(Policy), c_uint32],
    "linnet_format_config_init": [POINTER(FormatConfig)],
    "linnet_hotwords_new": [c_uint64, POINTER(Hotword), c_size_t, POINTER(c_uint64)],
    "linnet_hotwords_rejected_len": [c_uint64, POINTER(c_size_t)],
    "linnet_hotwords_rejected": [c_uint64, c_size_t, POINTER(RejectedHotword)],
    "linnet_hotwords_free": [c_uint64],
    "linnet_grammar_config_init": [POINTER(GrammarConfig)],
    "linnet_grammar_new": [c_uint64, c_char_p, POINTER(GrammarConfig), POINTER(c_uint64)],
    "linnet_grammar_free": [c_uint64],
    "linnet_language_model_config_init": [POINTER(LanguageModelConfig)],
    "linnet_language_model_open": [c_uint64, c_char_p, POINTER(LanguageModelConfig), POINTER(c_uint64)],
    "linnet_language_model_open_memory": [
        c_uint64, c_char_p, c_size_t, POINTER(LanguageModelConfig), POINTER(c_uint64)
    ],
    "linnet_language_model_free": [c_uint64],
    "linnet_devices_list": [POINTER(c_uint64)],
    "linnet_devices_len": [c_uint64, POINTER(c_size_t)],
    "linnet_devices_get": [c_uint64, c_size_t, POINTER(Device)],
    "linnet_devices_free": [c_uint64],
    "linnet_log": [LogCallback, c_void_p, c_uint32],
    "linnet_live_config_init": [POINTER(LiveConfig)],
    "linnet_live_start": [c_uint64, POINTER(LiveConfig), POINTER(c_uint64)],
    "linnet_live_push_f32": [c_uint64, c_void_p, c_size_t],
    "linnet_live_push_i16": [c_uint64, c_void_p, c_size_t],
    "linnet_live_next": [c_uint64, POINTER(Event), c_uint32],
    "linnet_live_finalize": [c_uint64],
    "linnet_live_stop": [c_uint64],
    "linnet_live_state": [c_uint64, POINTER(c_int32)],
    "linnet_live_metrics": [c_uint64, POINTER(Metrics)],
    "linnet_live_session_metrics": [c_uint64, POINTER(SessionMetrics)],
    "linnet_live_set_hotwords": [c_uint64, c_uint64],
    "linnet_live_set_grammar": [c_uint64, c_uint64],
    "linnet_live_set_format": [c_uint64, POINTER(FormatConfig)],
    "linnet_live_set_policy": [c_uint64, POINTER(Policy)],
    "linnet_live_free": [c_uint64],
    "linnet_transcribe_f32": [
        c_uint64, c_void_p, c_size_t, c_uint32, c_uint32, POINTER(StreamConfig), POINTER(c_uint64)
    ],
    "linnet_transcribe_i16": [
        c_uint64, c_void_p, c_size_t, c_uint32, c_uint32, POINTER(StreamConfig), POINTER(c_uint64)
    ],
    "linnet_transcribe_file": [c_uint64, c_char_p, POINTER(StreamConfig), POINTER(c_uint64)],
    "linnet_transcript_get": [c_uint64, POINTER(Event)],
    "linnet_transcript_free": [c_uint64],
}


def _candidates() -> Iterator[str]:
    suffix = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
    prefix = "" if sys.platform == "win32" else "lib"
    here = Path(__file__).resolve().parent
    if "LINNET_LIBRARY" in os.environ:
        yield os.environ["LINNET_LIBRARY"]
        return
    for folder in (here, *(root / "target" / "release" for root in here.parents)):
        for name in ("linnet", "linnet_ffi"):
            path = folder / f"{prefix}{name}{suffix}"
            if path.exists():
                yield str(path)
    installed = ctypes.util.find_library("linnet")
    if installed:
        yield installed


def _load() -> ctypes.CDLL:
    path = next(_candidates(), None)
    if path is None:
        raise ImportError("liblinnet was not found; pip install examples/python builds it, or set LINNET_LIBRARY")
    library = ctypes.CDLL(path)
    library.linnet_abi_version.restype = c_uint32
    version = library.linnet_abi_version()
    if version != ABI_VERSION:
        raise ImportError(f"{path} has ABI version {version}; this package takes {ABI_VERSION}")
    for name in ("linnet_version", "linnet_last_error", "linnet_status_name"):
        getattr(library, name).restype = c_char_p
    for name, arguments in _FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, c_int32
    return library


library = _load()
