#!/usr/bin/env python3
"""Make the word error rates of the model card (../README.md) again, from the committed file.

    card.py DIR... [--linnet target/release/linnet] [--model FILE] [--f32 CHECKPOINT]

Each DIR holds recordings and a transcripts.tsv. Prints Markdown: every chunk, the ways to search, int8 beside f32.
Runs `linnet eval` and computes nothing but sums over the DIRs.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COUNTS = ("words", "substitutions", "insertions", "deletions", "sentences", "wrong_sentences")


def measure(args, *options):
    """{chunk in ms: results of the DIRs} of one run."""
    command = [args.linnet, "eval", "--json", *map(str, options), *map(str, args.dirs)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    chunks = {}
    for result in json.loads(done.stdout)["results"]:
        chunks.setdefault(result["chunk_ms"], []).append(result)
    return chunks


def rates(results):
    """(word error rate, sentence error rate) over all of the results, in percent."""
    words, substitutions, insertions, deletions, sentences, wrong = (sum(r[name] for r in results) for name in COUNTS)
    return 100 * (substitutions + insertions + deletions) / words, 100 * wrong / sentences


def chunks_table(args, int8):
    names = [folder.name for folder in args.dirs]
    print(f"| chunk | {' | '.join(names)} | all | SER |\n|---|{'---|' * (len(names) + 2)}")
    for chunk, results in sorted(int8.items()):
        word, sentence = rates(results)
        each = " | ".join(f"{result['wer']:.1f}" for result in results)
        print(f"| {chunk:.0f} ms | {each} | {word:.1f} | {sentence:.1f} |")


def searches_table(args, model):
    print("\n| default chunk | all |\n|---|---|")
    for name, options in (
        ("greedy search (`--beam 1`)", ["--beam", 1]),
        ("beam of 4 without n-grams", ["--beam", 4, "--no-lm"]),
        ("beam of 4", ["--beam", 4]),
        ("beam of 8", ["--beam", 8]),
        ("beam of 32 without the language network (`--lm-network-weight 0`)", ["--lm-network-weight", 0]),
        ("beam of 32 (default)", []),
        ("beam of 32, one pass (`--single-pass`)", ["--single-pass"]),
    ):
        ((_, results),) = measure(args, *model, *options).items()
        print(f"| {name} | {rates(results)[0]:.1f} |", flush=True)


def precision_table(args, model):
    """The weights in f32 come without a language network, so int8 goes without here, too."""
    print("\n| default chunk, whole recordings, n-grams alone | all |\n|---|---|")
    for name, options in (("int8", model), ("f32", ["--model", args.f32, "--reference"])):
        ((_, results),) = measure(args, *options, "--lm", args.ngrams, "--whole", "--jobs", args.jobs).items()
        print(f"| {name} | {rates(results)[0]:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dirs", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--linnet", default=str(ROOT / "target/release/linnet"), help="the command-line program")
    parser.add_argument("--model", default=ROOT / "models/linnet-en.linnet")
    parser.add_argument("--f32", default=ROOT / "models/linnet-en.safetensors", help="the weights that int8 is compared with")
    parser.add_argument("--ngrams", default=ROOT / "models/linnet-ngrams.safetensors", help="which the weights lack")
    parser.add_argument("--jobs", default=1, help="recordings to work on at once, where time is not measured")
    args = parser.parse_args()
    model = ["--model", args.model]
    chunks_table(args, measure(args, *model, "--all-chunks"))
    print("\nWithout a second pass:\n")
    chunks_table(args, measure(args, *model, "--all-chunks", "--single-pass"))
    searches_table(args, model)
    precision_table(args, model)


if __name__ == "__main__":
    main()
