"""Sets how often a random transducer emits a token, by the bias of the blank in its joiner.

    python calibrate.py --model work/zipformer-320 --list files.txt

Greedy search runs the predictor once per token, so a network that emits on every frame costs more than one that speaks
English: about five tokens a second with 500 of them. The bias is found by bisection with sherpa-onnx itself.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import onnx
from onnx import numpy_helper

BIAS = "output_linear.bias"
BLANK = 0


def set_blank_bias(path: pathlib.Path, value: float):
    model = onnx.load(str(path))
    for initializer in model.graph.initializer:
        if initializer.name == BIAS:
            bias = numpy_helper.to_array(initializer).copy()
            bias[BLANK] = value
            initializer.CopyFrom(numpy_helper.from_array(bias, BIAS))
            onnx.save(model, str(path))
            return
    raise ValueError(f"{path} has no {BIAS}: was it written by zipformer_export.py?")


def token_rate(model: pathlib.Path, files: pathlib.Path) -> float:
    worker = pathlib.Path(__file__).with_name("sherpa_worker.py")
    command = [sys.executable, str(worker), "--model", str(model), "--list", str(files)]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(report.splitlines()[-1])["tokens_per_second"]


def calibrate(model: pathlib.Path, files: pathlib.Path, target: float) -> tuple:
    """Bisects the bias until the rate is within a fifth of `target`. Returns bias and rate."""
    low, high = -2.0, 6.0
    for _ in range(12):
        bias = (low + high) / 2
        for joiner in sorted(model.glob("joiner-*.onnx")):
            set_blank_bias(joiner, bias)
        rate = token_rate(model, files)
        if abs(rate - target) <= target / 5:
            break
        low, high = (bias, high) if rate > target else (low, bias)
    return bias, rate


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--list", type=pathlib.Path, required=True, help="text file with one audio path a line")
    parser.add_argument("--tokens-per-second", type=float, default=5.0)
    arguments = parser.parse_args()
    bias, rate = calibrate(arguments.model, arguments.list, arguments.tokens_per_second)
    print(json.dumps({"blank_bias": bias, "tokens_per_second": rate}))


if __name__ == "__main__":
    main()
