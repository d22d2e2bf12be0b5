#!/usr/bin/env python3
"""Go on from the weights that are shipped: they and the heads that only training uses make a checkpoint of train.py.

    shipped.py join ../linnet-en.safetensors checkpoint/heads.pt --out resume_f16.pt     # then train.py --init resume_f16.pt
    shipped.py heads RUN/resume_f16.pt --blank-penalty 0.8 --out checkpoint/heads.pt     # beside what export.py wrote

`--blank-penalty` is what evaluate.py baked into the exported weights.
"""

import argparse
import json

import torch
from safetensors import safe_open

from model import Config, import_state, only_for_training

BLANK_BIAS = "joint.joint_net.2.bias"


def heads_of(state, blank_penalty):
    """What a checkpoint of train.py has beside the weights that export.py writes."""
    heads = {name: value.half() for name, value in state["average"].items() if only_for_training(name)}
    return {name: state[name] for name in ("step", "hours", "config", "tokens")} | {"heads": heads, "blank_penalty": blank_penalty}


def joined(exported, tokens, heads):
    """A checkpoint of train.py, averaged weights only, of exported weights {name: tensor} and what heads_of() gave."""
    if tokens != heads["tokens"]:
        raise ValueError("the weights and the heads are of models with other tokens")
    weights = import_state(exported, Config(**heads["config"]))
    weights[BLANK_BIAS][-1] += heads["blank_penalty"]
    average = {name: value.half() for name, value in weights.items()} | heads["heads"]
    return {name: heads[name] for name in ("step", "hours", "config", "tokens")} | {"average": average}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    join, heads = commands.add_parser("join"), commands.add_parser("heads")
    join.add_argument("weights")
    join.add_argument("heads")
    heads.add_argument("checkpoint")
    heads.add_argument("--blank-penalty", type=float, default=0.0)
    for command in (join, heads):
        command.add_argument("--out", required=True)
    args = parser.parse_args()
    if args.command == "heads":
        torch.save(heads_of(torch.load(args.checkpoint, weights_only=False), args.blank_penalty), args.out)
        return
    with safe_open(args.weights, "pt") as file:
        exported, tokens = {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["tokens"])
    torch.save(joined(exported, tokens, torch.load(args.heads, weights_only=False)), args.out)


if __name__ == "__main__":
    main()
