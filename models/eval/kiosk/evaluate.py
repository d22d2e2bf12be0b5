#!/usr/bin/env python3
"""Measure how many kiosk orders are understood in full, clean and in kitchen noise.

    evaluate.py [--linnet target/release/linnet] [--model FILE] [--data ../shared/data/dev]

An order is right when its intent and every slot are right. Four ways to decode are compared: the grammar of the menu,
and free speech by greedy search and by a beam, without and with the menu as hotwords; in free speech the slots are those
whose words occur in the text.
"""

import argparse
import collections
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
AMOUNT = "a little bit of|a bit of|a lot of|lots of|some"
PATTERNS = {
    "coffeeDrink": "(?:drip|house|iced) coffee|iced mocha|coffee|mocha|latte|cappuccino|americano|espresso",
    "size": "(?:eight|twelve|sixteen|twenty) ounce|small|medium(?! roast)|large",
    "roast": "(?:light|medium|dark) roast",
    "numberOfShots": "(?:single|double|triple) shot",
    "milkAmount": f"(?:(?:{AMOUNT}) )?(?:(?:whole|skim|almond|soy) milk|milk|cream)",
    "sugarAmount": f"(?:(?:{AMOUNT}) )?(?:brown sugar|sugar|sweetener)",
}


def orders(folder, half):
    """(file, intent, slots) of the labelled orders; `half` 0 or 1 takes every other one."""
    rows = (folder / "transcripts.tsv").read_text().splitlines()[1:]
    for number, row in enumerate(rows):
        file, _, labels = row.split("\t")
        if half is None or number % 2 == half:
            labels = json.loads(labels)
            yield folder / file, labels["intent"], {name: value.strip() for name, value in labels["slots"].items()}


def mixed(speech, noise, snr_db, seed):
    """Speech with noise from a random place, by the ratio of their mean powers."""
    if snr_db is None:
        return speech
    start = np.random.default_rng(seed).integers(len(noise) - len(speech))
    noise = noise[start : start + len(speech)]
    gain = np.sqrt(np.mean(speech**2) / np.mean(noise**2) / 10 ** (snr_db / 10))
    both = speech + gain * noise
    return both / max(1.0, np.abs(both).max())


def understand(linnet, files, arguments):
    """What was heard in each file: (text, interpretation), of all its utterances."""
    command = [linnet, "transcribe", "--format", "json", "--whole", *arguments, *files]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    heard = {str(file): ("", None) for file in files}
    for line in map(json.loads, lines):
        heard[line["file"]] = (line["text"], line.get("interpretation"))
    return [heard[str(file)] for file in files]


def slots_in_text(text):
    found = {name: re.search(rf"\b(?:{pattern})\b", text) for name, pattern in PATTERNS.items()}
    return {name: match[0] for name, match in found.items() if match}


def score(labels, heard, free):
    """Counts of one set of orders."""
    counts = collections.Counter()
    for (_, intent, slots), (text, meaning) in zip(labels, heard):
        if free:
            filled, same_intent = slots_in_text(text), True
        else:
            accepted = bool(meaning) and meaning["accepted"]
            counts["rejected"] += not accepted
            filled = {slot["name"]: slot["value"] for slot in reversed(meaning["slots"])} if meaning else {}
            same_intent = bool(meaning) and meaning["intent"] == intent
        counts["orders"] += 1
        counts["slots"] += len(slots)
        wrong = sum(filled.get(name) != value for name, value in slots.items())
        extra = sum(name not in slots for name in filled)
        counts["missing"] += sum(name not in filled for name in slots)
        counts["slot errors"] += wrong + extra
        counts["extra"] += extra
        counts["right"] += same_intent and wrong + extra == 0
        counts["right and accepted"] += same_intent and wrong + extra == 0 and (free or accepted)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--linnet", default=str(ROOT / "target/release/linnet"), help="the command-line program")
    parser.add_argument("--model", help="a model instead of the built-in one")
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data/dev", help="folder of the development sets")
    parser.add_argument("--grammar", type=Path, default=HERE / "menu.jsgf")
    parser.add_argument("--hotwords", type=Path, default=HERE / "hotwords.txt")
    parser.add_argument("--half", type=int, choices=(0, 1), help="only every other order, to choose settings on")
    parser.add_argument("--chunk-ms", type=int, help="audio per step; the model's default without it")
    parser.add_argument("--snr", type=float, nargs="*", default=[12, 6], help="signal-to-noise ratios in dB besides clean")
    parser.add_argument("--only", nargs="*", help="ways to decode, by name")
    parser.add_argument("--out", type=Path, help="write every order as JSON lines")
    args = parser.parse_args()
    if not (args.data / "kiosk").is_dir():
        sys.exit(f"{args.data / 'kiosk'} is not here; give the development sets with --data")

    common = ["--model", args.model] if args.model else []
    common += ["--chunk-ms", str(args.chunk_ms)] if args.chunk_ms else []
    hotwords, grammar = ["--hotwords", str(args.hotwords)], ["--grammar", str(args.grammar)]
    ways = {
        "grammar": grammar,
        "greedy": ["--beam", "1"],
        "greedy + hotwords": ["--beam", "1", *hotwords],
        "beam": [],
        "beam + hotwords": hotwords,
    }
    ways = {name: way for name, way in ways.items() if not args.only or name in args.only}
    labels = list(orders(args.data / "kiosk", args.half))
    noise, rate = sf.read(args.data / "noise/kitchen.ogg", dtype="float32")
    assert rate == 16_000
    out = args.out.open("w") if args.out else None
    print("| decoding | noise | orders right | accepted and right | slot errors | missing | extra | rejected |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for snr_db in [None, *args.snr]:
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for number, (file, _, _) in enumerate(labels):
                speech, rate = sf.read(file, dtype="float32")
                files.append(str(Path(folder) / f"{number}.wav"))
                sf.write(files[-1], mixed(speech, noise, snr_db, number), rate, subtype="PCM_16")
            condition = "clean" if snr_db is None else f"{snr_db:g} dB"
            for name, way in ways.items():
                heard = understand(args.linnet, files, [*common, *way])
                n = score(labels, heard, name != "grammar")
                percent = lambda count, of: f"{100 * n[count] / n[of]:.1f} %"
                rejected = percent("rejected", "orders") if name == "grammar" else ""
                print(
                    f"| {name} | {condition} | {percent('right', 'orders')} | {percent('right and accepted', 'orders')} "
                    f"| {percent('slot errors', 'slots')} | {percent('missing', 'slots')} | {percent('extra', 'slots')} "
                    f"| {rejected} |",
                    flush=True,
                )
                if out:
                    for (file, _, slots), (text, meaning) in zip(labels, heard):
                        row = dict(file=file.name, way=name, noise=condition, said=slots, heard=text, meaning=meaning)
                        out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
