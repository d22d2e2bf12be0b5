"""The C ABI in ctypes: structs and functions as in linnet.h, and the search for the library."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from ctypes import POINTER, c_bool, c_char_p, c_double, c_float, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Iterator

ABI_VERSION = 1

(EVENT_NONE, EVENT_SPEECH_STARTED, EVENT_INTERIM, EVENT_FINAL, EVENT_UTTERANCE_END, EVENT_GAP) = range(6)


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
    ]


class Word(ctypes.Structure):
    _fields_ = [
        ("text", c_char_p),
        ("text_len", c_size_t),
        ("start_ms", c_uint64),
        ("end_ms", c_uint64),
        ("confidence", c_float),
        ("reserved", c_uint32),
    ]


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
    "linnet_transcribe_f32": [c_uint64, c_void_p, c_size_t, c_uint32, c_uint32, POINTER(c_uint64)],
    "linnet_transcribe_i16": [c_uint64, c_void_p, c_size_t, c_uint32, c_uint32, POINTER(c_uint64)],
    "linnet_transcribe_file": [c_uint64, c_char_p, POINTER(c_uint64)],
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
        raise ImportError("liblinnet was not found; build it (cargo build --release -p linnet-ffi) or set LINNET_LIBRARY")
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
