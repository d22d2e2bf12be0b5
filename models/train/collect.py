#!/usr/bin/env python3
"""Collect the listed public recordings as 16 kHz mono FLAC with one manifest.

    collect.py --out CORPUS [--clones DIR] [--only NAME,...] [--clone] [--debian-root DIR]

corpora/*.tsv.gz list every recording: public git repository (or Debian package), path in it, seconds, split (train,
dev, unlabelled, noise), speaker and transcript. Repositories are read from DIR/owner+name or DIR/owner/name (clones
or bare repositories); with --clone those missing are cloned from GitHub at depth 1. Files of Debian packages are read
from the installed system. What is missing is reported. A second run adds what is new.
Writes CORPUS/LIST/*.flac and CORPUS/manifest.tsv (path, seconds, split, speaker, text).
"""

import argparse
import csv
import gzip
import io
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

RATE = 16_000
LISTS = Path(__file__).parent / "corpora"


def find_repository(clones, name):
    """The git directory of owner/name below `clones`, or None."""
    owner, short = name.split("/")
    for folder in (clones / f"{owner}+{short}", clones / owner / short):
        for candidate in (folder, folder / ".git", folder / "repo", folder / "repo" / ".git"):
            if (candidate / "HEAD").is_file() and (candidate / "objects").is_dir():
                return candidate
    return None


def clone(clones, name):
    target = clones / name.replace("/", "+")
    subprocess.run(["git", "clone", "-q", "--bare", "--depth", "1", f"https://github.com/{name}", target], check=False)
    return find_repository(clones, name)


class GitReader:
    """Reads files of a repository's HEAD through one `git cat-file --batch` process."""

    def __init__(self, directory):
        command = ["git", "--git-dir", directory, "cat-file", "--batch"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, path):
        self.process.stdin.write(f"HEAD:{path}\n".encode())
        self.process.stdin.flush()
        header = self.process.stdout.readline().split()
        if len(header) != 3 or header[1] != b"blob":
            return None
        data = self.process.stdout.read(int(header[2]))
        self.process.stdout.read(1)  # the newline after the object
        return data


def decode(data, path):
    """File bytes -> mono float32 at 16 kHz; ffmpeg reads what libsndfile doesn't know."""
    try:
        samples, rate = sf.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except sf.LibsndfileError:
        raw = ["-f", "g722"] if path.endswith(".g722") else []
        command = ["ffmpeg", "-nostdin", "-v", "error", *raw, "-i", "-", "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"]
        return np.frombuffer(subprocess.run(command, input=data, capture_output=True, check=True).stdout, np.float32)
    mono = samples.mean(axis=1)
    return mono if rate == RATE else soxr.resample(mono, rate, RATE)


class Sources:
    """Opens each repository once."""

    def __init__(self, clones, may_clone, debian_root):
        self.clones, self.may_clone, self.debian_root, self.readers = clones, may_clone, debian_root, {}

    def read(self, repository, path):
        if repository.startswith("debian:"):
            file = self.debian_root / path.lstrip("/")
            return file.read_bytes() if file.is_file() else None
        if repository not in self.readers:
            found = find_repository(self.clones, repository)
            if found is None and self.may_clone:
                found = clone(self.clones, repository)
            self.readers[repository] = GitReader(found) if found else None
        reader = self.readers[repository]
        return reader.read(path) if reader else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clones", type=Path, default=Path("clones"))
    parser.add_argument("--clone", action="store_true", help="clone what --clones lacks")
    parser.add_argument("--debian-root", type=Path, default=Path("/"), help="where packages' files lie")
    parser.add_argument("--only", default="", help="lists to collect, separated by commas")
    args = parser.parse_args()
    wanted = set(filter(None, args.only.split(",")))
    args.out.mkdir(parents=True, exist_ok=True)
    sources, missing, hours, manifest = Sources(args.clones, args.clone, args.debian_root), Counter(), Counter(), []
    for listing in sorted(LISTS.glob("*.tsv.gz")):
        corpus = listing.name.removesuffix(".tsv.gz")
        if wanted and corpus not in wanted:
            continue
        with gzip.open(listing, "rt") as lines:
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
                target = args.out / corpus / row["name"]
                if not target.exists():
                    data = sources.read(row["repository"], row["path"])
                    if data is None:
                        missing[row["repository"]] += 1
                        continue
                    target.parent.mkdir(parents=True, exist_ok=True)
                    samples = np.clip(decode(data, row["path"]), -1, 1)
                    sf.write(target, samples, RATE, subtype="PCM_16", format="FLAC")
                manifest.append((f"{corpus}/{row['name']}", row["seconds"], row["split"], row["speaker"], row["text"]))
                hours[corpus] += float(row["seconds"]) / 3600
    with open(args.out / "manifest.tsv", "w") as to:
        to.write("path\tseconds\tsplit\tspeaker\ttext\n")
        to.writelines("\t".join(row) + "\n" for row in manifest)
    for corpus, total in hours.items():
        print(f"{corpus:28} {total:6.2f} h")
    for repository, count in missing.items():
        print(f"missing: {repository} ({count} recordings)", file=sys.stderr)


if __name__ == "__main__":
    main()
