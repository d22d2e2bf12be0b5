#!/usr/bin/env python3
"""Train the language network: an LSTM over the recognizer's pieces that the beam agrees with beside its n-grams.

    network.py --texts TEXTS --tokens tokens.model --out network.safetensors --end 2027-01-01T12:00 [--init FILE]
    network.py --texts TEXTS --tokens tokens.model --measure network.safetensors --held-out 'dev/*/transcripts.tsv'

TEXTS is what texts.py writes. Piece `V` stands for both ends of an utterance: it comes first, and last. Utterances of a
recognizer begin and end anywhere in a sentence, and so do the examples. --measure writes nats for each piece and bits for
each character.
"""

import argparse
import csv
import datetime
import glob
import json
import math
import time
from pathlib import Path

import numpy as np
import safetensors.torch
import sentencepiece
import torch
from torch import nn

SHARES = {"books": 0.82, "sentences": 0.085, "orders": 0.01, "requests": 0.01, "transcripts": 0.075}
KEPT_ENDS = 0.3  # of the sentences of a book end an utterance
PREFIX = "language_network."


class Network(nn.Module):
    """Pieces [time, batch] -> scores of the next one, [time, batch, vocab + 1]; piece `vocab` is the end of an utterance."""

    def __init__(self, vocab, embedding, hidden):
        super().__init__()
        self.embed = nn.Embedding(vocab + 1, embedding)
        self.lstm = nn.LSTM(embedding, hidden)
        self.output = nn.Linear(hidden, vocab + 1)

    def forward(self, pieces):
        return self.output(self.lstm(self.embed(pieces))[0])


class Text:
    """Windows of one text."""

    def __init__(self, path, tokenizer, kept_ends, seed):
        vocab = tokenizer.vocab_size()
        cache = path.with_suffix(f".{vocab}.npy")
        if not cache.exists():
            parts, chance = [], np.random.default_rng(seed)
            with open(path) as lines:
                while some := lines.readlines(1 << 22):
                    for pieces in tokenizer.encode([line.strip() for line in some]):
                        keep = chance.random() < kept_ends
                        parts.append(np.array(pieces + [vocab] * keep, np.uint8))
            np.save(cache, np.concatenate(parts))
        self.pieces = np.load(cache, mmap_mode="r")
        starts = [piece == vocab or tokenizer.id_to_piece(piece).startswith("\u2581") for piece in range(vocab)] + [True]
        self.starts, self.end = np.array(starts), vocab

    def window(self, length, chance, at_end):
        """[length + 1] pieces that begin with the end of an utterance, before a word or (`at_end`) where there is one."""
        while True:
            at = chance.integers(len(self.pieces) - 8 * length)
            near = self.pieces[at : at + 6 * length]
            found = np.flatnonzero(near == self.end if at_end else self.starts[near])
            if len(found):
                at += found[0] + (near[found[0]] == self.end)
                return np.concatenate([[self.end], self.pieces[at : at + length]])


def learning_rate(most, done):
    return most * min(1.0, done / 0.02) * (0.5 + 0.5 * math.cos(math.pi * done)) + 1e-6


def train(args, tokenizer):
    vocab = tokenizer.vocab_size()
    texts = [Text(args.texts / f"{name}.txt", tokenizer, KEPT_ENDS if name == "books" else 1.0, 1) for name in SHARES]
    chance = np.random.default_rng(args.seed)
    model = Network(vocab, args.embedding, args.hidden)
    if args.init:
        load_into(model, args.init)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, betas=(0.9, 0.98), weight_decay=0.01)
    start, end = time.time(), datetime.datetime.fromisoformat(args.end).replace(tzinfo=datetime.timezone.utc).timestamp()
    seen, losses, told = 0, [], time.time()
    while (done := (time.time() - start) / (end - start)) < 1:
        chosen = chance.choice(len(texts), args.batch, p=list(SHARES.values()))
        rows = [texts[text].window(args.length, chance, chance.random() < 0.5 or text > 0) for text in chosen]
        pieces = torch.from_numpy(np.stack(rows, 1).astype("int64"))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(args.lr, done)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bfloat16):
            scores = model(pieces[:-1])
        loss = nn.functional.cross_entropy(scores.float().flatten(0, 1), pieces[1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen += pieces[1:].numel()
        losses.append(loss.item())
        if time.time() - told > 60:
            print(f"{seen / 1e6:.1f} M pieces, {np.mean(losses):.3f} nats each, lr {learning_rate(args.lr, done):.5f}", flush=True)
            told, losses = time.time(), []
            save(model, tokenizer, args.out, args.weight)
    save(model, tokenizer, args.out, args.weight)


def save(model, tokenizer, path, weight):
    state = {PREFIX + name: value.detach().half() for name, value in model.state_dict().items()}
    config = {"embedding": model.embed.embedding_dim, "hidden": model.lstm.hidden_size, "weight": weight}
    pieces = [tokenizer.id_to_piece(piece) for piece in range(tokenizer.vocab_size())]
    metadata = {"format": "linnet-language-network", "config": json.dumps(config), "tokens": json.dumps(pieces)}
    safetensors.torch.save_file(state, path, metadata)


def load_into(model, path):
    state = safetensors.torch.load_file(path)
    model.load_state_dict({name.removeprefix(PREFIX): value.float() for name, value in state.items() if name.startswith(PREFIX)})


def measure(args, tokenizer):
    state = safetensors.torch.load_file(args.measure)
    embedding, hidden = state[PREFIX + "embed.weight"].shape[1], state[PREFIX + "lstm.weight_hh_l0"].shape[1]
    model = Network(tokenizer.vocab_size(), embedding, hidden)
    load_into(model, args.measure)
    for path in sorted(glob.glob(args.held_out)):
        nats = pieces = characters = words = 0
        with open(path, newline="") as table:
            for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
                end = [tokenizer.vocab_size()]
                utterance = torch.tensor(end + tokenizer.encode(row["text"]) + end)
                with torch.no_grad():
                    nats += nn.functional.cross_entropy(model(utterance[:-1, None])[:, 0], utterance[1:], reduction="sum").item()
                pieces += len(utterance) - 1
                characters += len(row["text"]) + 1
                words += len(row["text"].split()) + 1
        figures = {"nats a piece": nats / pieces, "bits a character": nats / characters / math.log(2), "perplexity a word": math.exp(nats / words)}
        print(Path(path).parent.name, json.dumps({name: round(figure, 3) for name, figure in figures.items()}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--tokens", required=True)
    parser.add_argument("--out", default="network.safetensors")
    parser.add_argument("--end", help="when the cosine schedule reaches its end, UTC")
    parser.add_argument("--init")
    parser.add_argument("--embedding", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--batch", type=int, default=192)
    parser.add_argument("--length", type=int, default=64, help="pieces of an example")
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--weight", type=float, default=0.3, help="how much the network is to count beside the recognizer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--measure")
    parser.add_argument("--held-out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=args.tokens)
    measure(args, tokenizer) if args.measure else train(args, tokenizer)


if __name__ == "__main__":
    main()
