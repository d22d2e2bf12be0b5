"""Recognizes recordings with sherpa-onnx as a host would, in pushes of 100 ms, and reports what it cost.

    python sherpa_worker.py --model work/zipformer-320 --list files.txt

Prints one JSON object. CPU time is that of the process from the first push to the last result: opening the model,
reading the audio and the interpreter's start are not in it. `growth_mb` is resident memory at the end less that from
before sherpa-onnx was imported, so that the interpreter doesn't count either.
"""

import argparse
import json
import pathlib
import time

import soundfile

PUSH_SECONDS = 0.1


def resident_mb() -> float:
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("/proc/self/status has no VmRSS")


def recognize(recognizer, samples, rate: int, steps: list) -> int:
    """One recording through one stream. Appends the CPU seconds of every decoding step; returns the tokens."""
    stream = recognizer.create_stream()
    push = int(rate * PUSH_SECONDS)
    # The network looks ahead by some feature frames past its chunk; silence flushes the last words out.
    tail = [0.0] * int(rate * 0.5)

    def drain():
        while recognizer.is_ready(stream):
            begin = time.process_time()
            recognizer.decode_stream(stream)
            steps.append(time.process_time() - begin)
        recognizer.get_result(stream)

    for begin in range(0, len(samples), push):
        stream.accept_waveform(rate, samples[begin : begin + push])
        drain()
    stream.accept_waveform(rate, tail)
    stream.input_finished()
    drain()
    return len(recognizer.tokens(stream))


def quantile(values: list, q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", type=pathlib.Path, required=True, help="folder written by zipformer_export.py")
    parser.add_argument("--list", type=pathlib.Path, required=True, help="text file with one audio path a line")
    parser.add_argument("--precision", choices=["int8", "fp32"], default="int8")
    parser.add_argument("--blank-penalty", type=float, default=0.0, help="subtracted from blank; sets the token rate")
    arguments = parser.parse_args()

    audio = [soundfile.read(path, dtype="float32") for path in arguments.list.read_text().splitlines() if path]
    seconds = sum(len(samples) / rate for samples, rate in audio)
    before = resident_mb()

    import sherpa_onnx

    suffix = "random.int8.onnx" if arguments.precision == "int8" else "random.onnx"
    begin = time.perf_counter()
    recognizer = sherpa_onnx.OnlineRecognizer.from_transducer(
        tokens=str(arguments.model / "tokens.txt"),
        encoder=str(arguments.model / f"encoder-{suffix}"),
        decoder=str(arguments.model / "decoder-random.onnx"),
        joiner=str(arguments.model / f"joiner-{suffix}"),
        num_threads=1,
        decoding_method="greedy_search",
        blank_penalty=arguments.blank_penalty,
    )
    opened = time.perf_counter() - begin

    recognize(recognizer, audio[0][0], audio[0][1], [])
    steps = []
    begin, wall = time.process_time(), time.perf_counter()
    tokens = sum(recognize(recognizer, samples, rate, steps) for samples, rate in audio)
    cpu = time.process_time() - begin
    wall = time.perf_counter() - wall
    report = {
        "engine": f"sherpa-onnx {sherpa_onnx.__version__}",
        "audio_seconds": seconds,
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "tokens_per_second": tokens / seconds,
        "open_ms": opened * 1000,
        "step_p50_ms": quantile(steps, 0.5) * 1000,
        "step_p95_ms": quantile(steps, 0.95) * 1000,
        "growth_mb": resident_mb() - before,
        "resident_mb": resident_mb(),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
