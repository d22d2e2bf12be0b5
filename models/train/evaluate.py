#!/usr/bin/env python3
"""Word error rates of a checkpoint on the development sets, by greedy search, at each look-ahead.

    evaluate.py --data DATA --checkpoint RUN/ckpt.pt [--limit 60] [--blank-penalty 0 1 2] [--bake 1.0 --out FILE]

A young transducer deletes: --blank-penalty is taken from the blank's logit before the comparison. --bake writes a
checkpoint with that penalty in the joiner's output bias, so that any decoder profits.
"""

import argparse
import json
from pathlib import Path

import sentencepiece
import torch

from model import Config, Transducer
from train import DevSets, save


def load(path):
    """(model, checkpoint) of an exported checkpoint: its conv.0 already holds the input normalisation."""
    checkpoint = torch.load(path, weights_only=False)
    config = Config(**{**checkpoint["config"], "input_mean": 0.0, "input_scale": 1.0})
    model = Transducer(config)
    missing, unexpected = model.load_state_dict(checkpoint["model"], strict=False)
    if unexpected or any(not name.startswith("aux_") for name in missing):
        raise SystemExit(f"{path}: parameters don't fit: missing {missing}, unexpected {unexpected}")
    return model.eval(), checkpoint


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--limit", type=int, default=0, help="recordings a set, all where 0")
    parser.add_argument("--look-aheads", type=int, nargs="+")
    parser.add_argument("--blank-penalty", type=float, nargs="+", default=[0.0])
    parser.add_argument("--bake", type=float)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, checkpoint = load(args.checkpoint)
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(args.data / "tokens.model"))
    dev = DevSets(args.data, args.limit)
    blank_bias = float(model.joint.joint_net[2].bias[model.blank])
    for penalty in args.blank_penalty:
        with torch.no_grad():
            model.joint.joint_net[2].bias[model.blank] = blank_bias - penalty
        for look_ahead in args.look_aheads or checkpoint["config"]["look_aheads"]:
            rates, examples = dev.measure(model, tokenizer, look_ahead)
            words = sum(len(text.split()) for _, text, _ in examples)
            guessed = sum(len(hypothesis.split()) for _, _, hypothesis in examples)
            print(json.dumps({"look_ahead": look_ahead, "blank_penalty": penalty, **rates, "words": words, "guessed": guessed}), flush=True)
            if args.bake is None:
                checkpoint["dev"][look_ahead] = rates
    for name, text, hypothesis in examples[:: max(1, len(examples) // 12)]:
        print(f"[{name}] {text}  =>  {hypothesis}")
    if args.bake is not None:
        checkpoint["model"]["joint.joint_net.2.bias"][model.blank] -= args.bake
        checkpoint["blank_penalty"] = args.bake
        save(checkpoint, args.out)


if __name__ == "__main__":
    main()
