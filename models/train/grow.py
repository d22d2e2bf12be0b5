#!/usr/bin/env python3
"""Deepen a checkpoint of train.py: put new layers between those of its encoder, so that at first they change little.

    grow.py RUN/resume_f16.pt --after 2 3 4 5 --out deeper.pt      # then train.py --init deeper.pt

A new layer begins as a copy of the layer below it whose four branches end in zeros (after Chen et al. 2016, "Net2Net",
arXiv:1511.05641, section 2.3). Its last LayerNorm gets the mean and the scale over the channels that the output of the layer
below has on average, which undoes the normalisation.
"""

import argparse

import torch

PREFIX = "encoder.layers."
LAST_OF_BRANCHES = ("feed_forward1.linear2", "feed_forward2.linear2", "self_attn.linear_out", "conv.pointwise_conv2")


def identity_layer(below):
    """{name in the layer: tensor} of a layer that about repeats what the layer `below` puts out."""
    layer = {name: tensor.clone() for name, tensor in below.items()}
    for branch in LAST_OF_BRANCHES:
        layer[f"{branch}.weight"].zero_()
        layer[f"{branch}.bias"].zero_()
    scale, bias = below["norm_out.weight"].float(), below["norm_out.bias"].float()
    deviation = (scale.square().mean() + bias.var(correction=0)).sqrt()
    layer["norm_out.weight"].fill_(deviation)
    layer["norm_out.bias"].fill_(bias.mean())
    return layer


def grow(state, layers, after):
    """The state dict `state` of a model with `layers` layers, with a new one after each of `after` (counted from 0)."""
    grown = {name: tensor for name, tensor in state.items() if not name.startswith(PREFIX)}
    at = 0
    for number in range(layers):
        start = f"{PREFIX}{number}."
        layer = {name.removeprefix(start): tensor for name, tensor in state.items() if name.startswith(start)}
        for copy in [layer] + [identity_layer(layer)] * (number in after):
            grown |= {f"{PREFIX}{at}.{name}": tensor for name, tensor in copy.items()}
            at += 1
    return grown


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--after", type=int, nargs="+", required=True, help="layers to put a new one after, from 0")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    state = torch.load(args.checkpoint, weights_only=False)
    layers = state["config"]["n_layers"]
    if not set(args.after) <= set(range(layers)):
        parser.error(f"--after: the encoder has layers 0 to {layers - 1}")
    state |= {key: grow(state[key], layers, args.after) for key in ("model", "average") if key in state}
    state["config"] |= {"n_layers": layers + len(set(args.after))}
    torch.save(state, args.out)


if __name__ == "__main__":
    main()
