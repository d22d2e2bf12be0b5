#!/usr/bin/env python3
"""Linnet and sherpa-onnx on the same recordings, one core, in turns.

    python3 benches/peers/sherpa.py                          # from the root of the repository
    python3 benches/peers/sherpa.py --shape 20m --runs 7 --dir path/to/recordings

Needs only Python's standard library: the rest goes into benches/peers/venv. Prints a Markdown table of processor
seconds per second of audio, step times and resident memory; see README.md for what exactly is compared.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODELS = HERE / "work"


def python_with_peers(given) -> pathlib.Path:
    """The interpreter that has sherpa-onnx: the one given, or that of the venv, which is made on first use."""
    if given:
        return given
    folder = HERE / "venv"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    marker = folder / "complete"
    if not marker.exists():
        print(f"installing {HERE / 'requirements.txt'} into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True)
        marker.touch()
    return python


def recordings(folder: pathlib.Path, limit: int) -> list:
    """The first files of a folder's transcripts.tsv, as `linnet eval --limit` takes them."""
    rows = (folder / "transcripts.tsv").read_text(encoding="utf-8").splitlines()
    column = rows[0].split("\t").index("file")
    return [folder / row.split("\t")[column] for row in rows[1:] if row.strip()][:limit]


def prepare(python, shape: str, chunk_ms: int, files: pathlib.Path) -> pathlib.Path:
    """The exported and calibrated peer for one chunk, made on first use."""
    model = MODELS / f"zipformer-{shape}-{chunk_ms}"
    marker = model / "calibrated.json"
    if not marker.exists():
        print(f"exporting {model}", file=sys.stderr)
        export = [python, HERE / "zipformer_export.py", "--shape", shape, "--chunk-ms", str(chunk_ms), "--out", model]
        subprocess.run(export, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        calibrate = [python, HERE / "calibrate.py", "--model", model, "--list", files]
        marker.write_bytes(subprocess.run(calibrate, check=True, capture_output=True).stdout)
    return model


def measure(command: list, core: int) -> dict:
    """Runs a command on one core, with every library that asks held to one thread; returns the JSON it prints."""
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", RAYON_NUM_THREADS="1")
    result = subprocess.run(
        [str(part) for part in command],
        check=True,
        stdout=subprocess.PIPE,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    return json.loads(result.stdout)


def of_linnet(report: dict) -> dict:
    """The figures of `linnet eval --json` in the terms of sherpa_worker.py."""
    (row,) = report["totals"]
    return {
        "engine": f"linnet, {report['model']['instruction_set']}",
        "chunk_ms": row["chunk_ms"],
        "audio_seconds": row["audio_seconds"],
        "cpu_seconds": row["cpu_seconds"],
        "step_p50_ms": row["step_ms"]["p50"],
        "step_p95_ms": row["step_ms"]["p95"],
        "resident_mb": report["peak_resident_mb"],
    }


def of_sherpa(report: dict, chunk_ms: int, precision: str) -> dict:
    return dict(report, engine=f"{report['engine']} {precision}", chunk_ms=chunk_ms, resident_mb=report["growth_mb"])


def summary(runs: list) -> dict:
    rates = [run["cpu_seconds"] / run["audio_seconds"] for run in runs]

    def median(key):
        return statistics.median(run[key] for run in runs)

    return {
        "engine": runs[0]["engine"],
        "chunk_ms": runs[0]["chunk_ms"],
        "cpu": statistics.median(rates),
        "cpu_least": min(rates),
        "cpu_most": max(rates),
        "step_p50_ms": median("step_p50_ms"),
        "step_p95_ms": median("step_p95_ms"),
        "resident_mb": median("resident_mb"),
    }


def compare(arguments, python, files: pathlib.Path, chunk_ms: int) -> list:
    """Both engines in turns at one chunk; the summaries of sherpa-onnx and of Linnet."""
    model = prepare(python, arguments.shape, chunk_ms, files)
    sherpa = [python, HERE / "sherpa_worker.py", "--model", model, "--list", files]
    sherpa += ["--precision", arguments.precision]
    # Greedy search, as the other engine.
    linnet = [arguments.linnet, "eval", arguments.dir, "--json", "--beam", "1", "--single-pass", "--chunk-ms", chunk_ms, "--limit", arguments.limit]
    if arguments.model:
        linnet += ["--model", arguments.model]
    ours, theirs = [], []
    for run in range(arguments.runs):
        print(f"{chunk_ms} ms, run {run + 1} of {arguments.runs}", file=sys.stderr)
        theirs.append(of_sherpa(measure(sherpa, arguments.core), chunk_ms, arguments.precision))
        ours.append(of_linnet(measure(linnet, arguments.core)))
    return [summary(theirs), summary(ours)]


def write_table(rows: list, out):
    print("| engine | chunk ms | CPU s per s of audio (least–most) | step p50/p95 ms | resident MB |", file=out)
    print("|---|---|---|---|---|", file=out)
    for row in rows:
        print(
            f"| {row['engine']} | {row['chunk_ms']:.0f} | {row['cpu']:.4f} ({row['cpu_least']:.4f}–{row['cpu_most']:.4f}) "
            f"| {row['step_p50_ms']:.2f}/{row['step_p95_ms']:.2f} | {row['resident_mb']:.1f} |",
            file=out,
        )


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--linnet", type=pathlib.Path, default=ROOT / "target/release/linnet", help="the command")
    parser.add_argument("--model", type=pathlib.Path, help="model of Linnet, instead of the built-in one")
    parser.add_argument(
        "--dir", type=pathlib.Path, default=ROOT / "engine/tests/data/speech", help="folder with transcripts.tsv"
    )
    parser.add_argument("--limit", type=int, default=1000, help="take only the first recordings")
    parser.add_argument("--chunk-ms", type=int, action="append", help="multiples of 160; default 160 and 320")
    parser.add_argument("--shape", choices=["3m", "20m"], default="3m", help="size of the peer's network")
    parser.add_argument("--precision", choices=["int8", "fp32"], default="int8", help="of the peer's network")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--core", type=int, default=os.cpu_count() - 1)
    parser.add_argument("--python", type=pathlib.Path, help="interpreter that has requirements.txt already")
    parser.add_argument("--json", type=pathlib.Path, help="also write the summaries here")
    arguments = parser.parse_args()
    if not arguments.linnet.exists():
        parser.error(f"{arguments.linnet} is not there; run `cargo build --release -p linnet-cli`")
    return arguments


def main():
    arguments = parse_arguments()
    python = python_with_peers(arguments.python)
    MODELS.mkdir(exist_ok=True)
    files = MODELS / "files.txt"
    paths = recordings(arguments.dir, arguments.limit)
    files.write_text("".join(f"{path.resolve()}\n" for path in paths), encoding="utf-8")
    rows = []
    for chunk_ms in arguments.chunk_ms or [160, 320]:
        theirs, ours = compare(arguments, python, files, chunk_ms)
        rows += [theirs, dict(ours, ratio=ours["cpu"] / theirs["cpu"])]
    write_table(rows, sys.stdout)
    for row in rows:
        if "ratio" in row:
            print(f"\n{row['chunk_ms']:.0f} ms: Linnet takes {row['ratio']:.2f} of sherpa-onnx's processor time", end="")
    print()
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
