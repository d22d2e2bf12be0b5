#!/usr/bin/env python3
"""Collect English text for the n-gram model: one sentence a line, normalised as transcripts are.

    texts.py --out TEXTS --clones DIR --held-out '../shared/data/dev/*/transcripts.tsv' [--transcripts MANIFEST.tsv ...]

Writes TEXTS/books.txt, sentences.txt, orders.txt, requests.txt and transcripts.txt. Sentences with digits are left out, as is every
one that shares six words in a row with a held-out transcript (all of them, for one of fewer words), and every book that
holds more than two such sentences: what the model is measured on must not be in it.
"""

import argparse
import csv
import glob
import json
import random
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from collect import find_repository  # noqa: E402
from synth import number, sentence as request  # noqa: E402
from text import normalise  # noqa: E402

BOOKS = {  # public domain
    "mlschmitt/classic-books-markdown": r".*\.md$",
    "computationalstylistics/100_english_novels": r"corpus/.*\.txt$",
}
SENTENCES = {"mozilla/common-voice": r"server/data/en/.*\.txt$"}  # CC0
ORDERS = {"google-research-datasets/Taskmaster": r"TM-4-2024/data/.*\.json$"}  # CC BY 4.0
SPAN = 6
MOST_SHARED = 2
ABBREVIATIONS = re.compile(r"\b(Mr|Mrs|Ms|Dr|St|Messrs|Capt|Col|Gen|Rev|Hon|Prof)\.")
SPOKEN = {"Mr": "mister", "Mrs": "missus", "Dr": "doctor", "St": "saint", "Ms": "miz"}


def files(clones, repository, pattern):
    """(path, text) of the files of the newest commit whose path matches."""
    git = ["git", "--git-dir", str(find_repository(clones, repository))]
    names = subprocess.run([*git, "ls-tree", "-r", "-z", "--name-only", "HEAD"], capture_output=True, text=True, check=True).stdout
    for name in names.split("\0"):
        if re.match(pattern, name) and not name.endswith("README.md"):
            found = subprocess.run([*git, "show", f"HEAD:{name}"], capture_output=True)
            if found.returncode == 0:
                yield name, found.stdout.decode("utf-8", "replace")


def sentences(text):
    """Normalised sentences of running text, without headings and what holds digits."""
    text = ABBREVIATIONS.sub(lambda match: SPOKEN.get(match[1], match[1].lower()), text.replace("\r", ""))
    text = text.replace("\u201c", '"').replace("\u201d", '"').replace("\u2018", "'").replace("_", "").replace("*", "")
    for paragraph in re.split(r"\n\s*\n", text):
        if paragraph.lstrip().startswith("#"):
            continue
        for part in re.split(r"(?<=[.!?;:])[\"')\]]*\s+|--|\u2014", paragraph.replace("\n", " ")):
            line = normalise(part)
            if line and line.isascii() and 2 <= len(line.split()) <= 60:
                yield line


def said(text):
    """Texts of what the users of annotated dialogues say, numbers below a hundred in words."""
    for dialogue in json.loads(text):
        for turn in dialogue["utterances"]:
            if turn["speaker"] == "user":
                yield re.sub(r"(?<![\d.,$:/])\d\d?(?![\d.,:/%])", lambda match: number(int(match[0])), turn["text"])


def spans(line):
    words = line.split()
    return {" ".join(words[at : at + SPAN]) for at in range(max(1, len(words) - SPAN + 1))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--held-out", required=True, help="pattern of TSV files with a column `text`")
    parser.add_argument("--transcripts", nargs="*", default=[], help="manifests of training recordings")
    parser.add_argument("--requests", type=int, default=30_000)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    held = set()
    for name in glob.glob(args.held_out):
        for row in csv.DictReader(open(name), delimiter="\t"):
            held |= spans(normalise(row["text"]) or "") if row.get("text") else set()

    def clean(lines):
        return [line for line in lines if not spans(line) & held]

    with open(args.out / "books.txt", "w") as to:
        for repository, pattern in BOOKS.items():
            for name, text in files(args.clones, repository, pattern):
                lines = list(sentences(text))
                kept = clean(lines)
                if len(lines) - len(kept) > MOST_SHARED:
                    print(f"left out: {name}, {len(lines) - len(kept)} held-out sentences", flush=True)
                    continue
                to.writelines(f"{line}\n" for line in kept)
    with open(args.out / "sentences.txt", "w") as to:
        for repository, pattern in SENTENCES.items():
            for name, text in files(args.clones, repository, pattern):
                lines = (normalise(line) for line in text.splitlines())
                to.writelines(f"{line}\n" for line in clean(line for line in lines if line and line.isascii()))
    with open(args.out / "orders.txt", "w") as to:
        for repository, pattern in ORDERS.items():
            for name, text in files(args.clones, repository, pattern):
                lines = (normalise(line) for line in said(text))
                to.writelines(f"{line}\n" for line in clean(line for line in lines if line and line.isascii()))
    pick = random.Random(3)
    with open(args.out / "requests.txt", "w") as to:
        to.writelines(f"{request(pick)}\n" for _ in range(args.requests))
    with open(args.out / "transcripts.txt", "w") as to:
        for name in args.transcripts:
            rows = csv.DictReader(open(name), delimiter="\t")
            lines = (normalise(row["text"]) for row in rows if row["split"] == "train")
            to.writelines(f"{line}\n" for line in clean(line for line in lines if line))


if __name__ == "__main__":
    main()
