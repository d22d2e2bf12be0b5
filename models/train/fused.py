"""The kernels of fused.cpp as differentiable functions; `AVAILABLE` is False where they cannot be built.

They halve the time of a training step on a CPU. Without a compiler or ninja, model.py uses PyTorch's own operators.
"""

import os
import sys
from pathlib import Path

import torch

try:
    if os.environ.get("LINNET_TRAIN_PLAIN"):
        raise ImportError("LINNET_TRAIN_PLAIN is set")
    os.environ["PATH"] += os.pathsep + str(Path(sys.executable).parent)  # pip's ninja, without an activated environment
    from torch.utils.cpp_extension import load

    kernels = load("linnet_fused", [str(Path(__file__).parent / "fused.cpp")], extra_cflags=["-O3", "-march=native", "-ffast-math"])
    AVAILABLE = True
except (ImportError, OSError, RuntimeError) as error:
    print(f"fused kernels are not built, training is slower: {error}", flush=True)
    AVAILABLE = False


class Stem(torch.autograd.Function):
    """depthwise(relu(conv(x))): x (batch, frames, bands) -> (batch, frames / 4, bands / 4, channels); no gradient for x."""

    @staticmethod
    def forward(ctx, x, w0, b0, w1, b1):
        ctx.save_for_backward(x, w0, b0, w1, b1)
        return kernels.stem_forward(x, taps_first(w0), b0, taps_first(w1), b1)

    @staticmethod
    def backward(ctx, grad):
        x, w0, b0, w1, _ = ctx.saved_tensors
        grad_w0, grad_b0, grad_w1, grad_b1 = kernels.stem_backward(x, taps_first(w0), b0, taps_first(w1), grad)
        return None, grad_w0.t().reshape(w0.shape), grad_b0, grad_w1.t().reshape(w1.shape), grad_b1


class Depthwise(torch.autograd.Function):
    """Channels-last depthwise convolution: strided 3 x 3 with the stem's padding, or causal in one dimension."""

    @staticmethod
    def forward(ctx, x, w, bias):
        ctx.save_for_backward(x, w)
        return (kernels.depthwise2d_forward if w.ndim == 4 else kernels.depthwise1d_forward)(x, taps_first(w), bias)

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        backward = kernels.depthwise2d_backward if w.ndim == 4 else kernels.depthwise1d_backward
        grad_x, grad_w, grad_bias = backward(x, taps_first(w), grad)
        return grad_x, grad_w.t().reshape(w.shape), grad_bias


def taps_first(weight):
    """(channels, 1, ...) -> (taps, channels)."""
    return weight.detach().flatten(1).t().contiguous()
