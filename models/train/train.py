#!/usr/bin/env python3
"""Train the streaming transducer from forced alignments on a CPU, resumable at any time.

    train.py --data DATA --part train:ALIGNED.*.jsonl --run RUN --end 2026-01-31T18:00

Phase 1 (until --lattice-from, a fraction of the time): cross-entropy of the phone head, of the CTC head along the
alignment, and of the transducer along the one aligned path. Phase 2: the transducer loss summed over all paths within
a band about the alignment (loss.py), the others fading. One look-ahead is drawn a batch.
One single-threaded process a worker computes gradients of its own batches, which are averaged every step: on a few cores
this is half as fast again as threads inside each operation, and suffers less from other programs.
Writes RUN/ckpt.pt (averaged weights, NeMo's names), RUN/resume.pt, RUN/log.txt.
"""

import argparse
import math
import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import sentencepiece
import torch
import torch.distributed
import torch.nn.functional as F

import optimizer
import teacher
from data import IGNORE, Batches, encoder_frames, load_noise, load_untold, load_utterances
from loss import banded_transducer_loss
from model import Config, Transducer, export_state, greedy_decode
from prepare import open_split

DEV_SETS = {"librispeech": "librispeech", "common_voice": "common_voice", "nonnative": "speechocean"}


def word_errors(reference, hypothesis):
    """Levenshtein distance of two word lists."""
    row = list(range(len(hypothesis) + 1))
    for i, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(hypothesis, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


class DevSets:
    """The development recordings, decoded greedily in batches."""

    def __init__(self, folder, limit):
        index, mel = open_split(folder, "dev")
        self.sets = {}
        for name, marker in DEV_SETS.items():
            rows = [r for r in index if marker in r["path"].split("/")[0]]
            rows = sorted(rows, key=lambda r: r["path"])
            rows = rows[:: max(1, len(rows) // limit)][:limit] if limit else rows
            rows.sort(key=lambda r: r["frames"])
            self.sets[name] = [(torch.from_numpy(mel[r["at"] : r["at"] + r["frames"]].astype("float32")), r["text"]) for r in rows]

    def measure(self, model, tokenizer, look_ahead, batch_size=24):
        """{set: WER in percent}, and a few (reference, hypothesis) pairs."""
        rates, examples = {}, []
        for name, rows in self.sets.items():
            errors = words = 0
            for at in range(0, len(rows), batch_size):
                part = rows[at : at + batch_size]
                features = torch.nn.utils.rnn.pad_sequence([f for f, _ in part], batch_first=True)
                decoded = greedy_decode(model, features, torch.tensor([len(f) for f, _ in part]), look_ahead)
                for (_, text), tokens in zip(part, decoded):
                    hypothesis = tokenizer.decode(tokens)
                    errors += word_errors(text.split(), hypothesis.split())
                    words += len(text.split())
                    examples.append((name, text, hypothesis))
            rates[name] = round(100 * errors / max(words, 1), 1)
        return rates, examples


class Average:
    """Exponential moving average of the weights, with a short memory at first."""

    def __init__(self, model, decay):
        self.decay, self.steps = decay, 0
        self.model = model
        self.weights = {name: p.detach().clone() for name, p in model.named_parameters()}

    def update(self):
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.weights.values()), [p.detach() for p in self.model.parameters()], 1 - decay)


class Workers:
    """Averages gradients over the worker processes; worker 0 starts the others."""

    def __init__(self, rank, count):
        self.rank, self.count, self.children = rank, count, []
        if count == 1:
            return
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        port = int(os.environ.setdefault("LINNET_TRAIN_PORT", str(20000 + os.getpid() % 20000)))
        if rank == 0:
            for other in range(1, count):
                self.children.append(subprocess.Popen([sys.executable, *sys.argv, "--rank", str(other)]))
        torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=count)

    def broadcast(self, model):
        """Give every worker the weights of worker 0."""
        if self.count > 1:
            for parameter in model.parameters():
                torch.distributed.broadcast(parameter.data, 0)

    def reduce(self, model, hours, stop):
        """Average the gradients in place; returns the hours of all workers and whether worker 0 wants to stop."""
        if self.count == 1:
            return hours, stop
        gradients = [p.grad for p in model.parameters()]
        flat = torch.cat([g.flatten() for g in gradients] + [torch.tensor([hours, float(stop and self.rank == 0)])])
        torch.distributed.all_reduce(flat)
        at = 0
        for gradient in gradients:
            gradient.copy_(flat[at : at + gradient.numel()].view_as(gradient)).div_(self.count)
            at += gradient.numel()
        return float(flat[-2]), bool(flat[-1] > 0)


def save(value, path):
    """Write atomically."""
    torch.save(value, f"{path}.part")
    os.replace(f"{path}.part", path)


class Trainer:
    def __init__(self, args):
        self.args = args
        self.workers = Workers(args.rank, args.workers)
        torch.manual_seed(args.seed)
        random.seed(args.seed + args.rank)
        self.run = Path(args.run)
        self.run.mkdir(parents=True, exist_ok=True)
        self.tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(Path(args.data) / "tokens.model"))
        state = self.initial_state()
        dimensions = {"vocab_size": self.tokenizer.vocab_size()} | (state or {}).get("config", {})
        heads = {"teacher_parts": teacher.PARTS if args.teacher_weight else 0}
        self.config = Config(**dimensions | heads | {"dropout": args.dropout})
        self.model = Transducer(self.config)
        self.average = Average(self.model, args.average)
        self.evaluated = Transducer(self.config).eval()
        self.optimizers = optimizer.build(self.model, args.lr, args.weight_decay, args.muon)
        self.step, self.hours, self.dev_rates = 0, 0.0, {}
        self.end = datetime.fromisoformat(args.end).replace(tzinfo=timezone.utc).timestamp()
        self.begin = time.time()
        if state and "optimizer" in state:
            self.resume(state)
        elif state:
            self.start_from(state)
        self.dev = DevSets(args.data, args.dev_limit)
        self.workers.broadcast(self.model)
        self.stop = False
        signal.signal(signal.SIGTERM, self.on_signal)
        signal.signal(signal.SIGINT, self.on_signal)

    def initial_state(self):
        """What an earlier run left, or the weights to start from, or nothing."""
        left = self.run / "resume.pt"
        path = left if left.exists() and not self.args.fresh else self.args.init
        state = torch.load(path, weights_only=False) if path else None
        if state and path != left:
            state.pop("optimizer", None)
        return state

    def on_signal(self, *_):
        self.stop = True

    def start_from(self, state):
        """Weights only, the averaged ones where there are no others: a new schedule begins."""
        fresh = self.average.weights  # a teacher's head that the weights don't have yet
        average = {name: state["average"].get(name, fresh[name]).float() for name in fresh}
        raw = average | state.get("model", {})
        self.model.load_state_dict({name: raw[name].float() for name in average})
        self.average.weights = average
        self.average.steps = state["step"]
        self.step, self.hours = state["step"], state["hours"]

    def resume(self, state):
        self.start_from(state)
        if isinstance(state["optimizer"], list) and len(state["optimizer"]) == len(self.optimizers):
            for one, saved in zip(self.optimizers, state["optimizer"]):
                one.load_state_dict(saved)
        self.begin = state["begin"] if not self.args.new_schedule else self.begin
        self.log(f"resumed at step {self.step}, {self.hours:.1f} h")

    def log(self, line):
        if self.args.rank:
            return
        line = f"{datetime.now(timezone.utc):%H:%M:%S} {line}"
        print(line, flush=True)
        with open(self.run / "log.txt", "a") as to:
            to.write(line + "\n")

    def save(self, name="ckpt.pt", resume=True):
        config = self.config.to_dict()
        pieces = [self.tokenizer.id_to_piece(n) for n in range(self.config.vocab_size)]
        facts = {"step": self.step, "hours_seen": round(self.hours, 2), "dev": self.dev_rates}
        save({"config": config, "tokens": pieces, "model": export_state(self.average.weights, self.config), **facts}, self.run / name)
        if resume:
            state = {"model": self.model.state_dict(), "average": self.average.weights, "step": self.step, "hours": self.hours}
            state |= {"config": config, "tokens": pieces}
            save({**state, "optimizer": [one.state_dict() for one in self.optimizers], "begin": self.begin}, self.run / "resume.pt")
            del state["model"]
            save(state | {"average": {n: v.half() for n, v in self.average.weights.items()}}, self.run / "resume_f16.pt")

    def evaluate(self, look_ahead):
        self.evaluated.load_state_dict(self.average.weights)
        rates, examples = self.dev.measure(self.evaluated, self.tokenizer, look_ahead)
        self.dev_rates[look_ahead] = rates
        self.log(f"dev look-ahead {look_ahead}: {rates}")
        for name, text, hypothesis in random.Random(self.step).sample(examples, 4):
            self.log(f"   [{name}] {text}  =>  {hypothesis}")

    def fraction(self):
        return min(1.0, max(0.0, (time.time() - self.begin) / (self.end - self.begin)))

    def learning_rate(self, fraction, steps):
        warm = min(1.0, (steps + 1) / self.args.warmup)
        return self.args.lr * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * fraction)))

    def losses(self, batch, look_ahead, lattice):
        """{name: loss} of one batch; `lattice` takes the banded transducer loss instead of the single path."""
        model = self.model
        with torch.autocast("cpu", torch.bfloat16, enabled=self.args.bfloat16):
            encoded, lengths, tapped = model.encoder(batch.features, batch.lengths, look_ahead, self.args.teacher_layer)
        encoded = encoded.float()
        start = torch.full((len(batch.tokens), 1), model.blank)
        predicted, _ = model.predict(torch.cat([start, batch.tokens], 1))
        projected = model.joint.enc(encoded)
        out = {}
        if lattice:
            out["lattice"] = banded_transducer_loss(model.joint, projected, predicted, lengths, batch, model.blank)
        row, frame, state = batch.path
        logits = model.joint(projected[row, frame], predicted[row, state])
        steps = max(1, len(batch.path_labels))  # none where nothing is told
        out["path"] = F.cross_entropy(logits, batch.path_labels, reduction="sum") / steps
        frames = (batch.ctc != IGNORE).sum().clamp(min=1)  # none where every clip is too dense for CTC
        logits_ctc = model.ctc_decoder(encoded).flatten(0, 1)
        out["ctc"] = F.cross_entropy(logits_ctc, batch.ctc.flatten(), ignore_index=IGNORE, reduction="sum") / frames
        phones = model.aux_phone(encoded).view(-1, self.config.phones)
        known = (batch.phones != IGNORE).sum().clamp(min=1)  # none in alignments of tokens only
        out["phone"] = F.cross_entropy(phones, batch.phones.flatten(), ignore_index=IGNORE, reduction="sum") / known
        if batch.teacher is not None:
            known = batch.teacher.any(-1)
            missed = model.aux_teacher(tapped.float()[known]) - batch.teacher[known]
            out["teacher"] = missed.square().sum() / known.sum().clamp(min=1) / self.config.teacher_parts
        with torch.no_grad():
            token = batch.path_labels != model.blank
            out["token_accuracy"] = (logits.argmax(-1) == batch.path_labels)[token].float().sum() / token.sum().clamp(min=1)
        return out

    def batches(self):
        """Endless batches of all parts, and of the recordings that only the teacher knows."""
        args = self.args
        parts = [part.split(":", 1) for part in args.part]
        utterances, features = load_utterances(args.data, parts, self.tokenizer, args.min_score)
        weights = dict((k, float(v)) for k, v in (w.split("=") for w in args.weight))
        names = [name for name, _ in parts]
        for name in args.untold:
            row = sum(teacher.total_rows(args.data, one) for one in names)
            more, mel = load_untold(args.data, name, len(names), row)
            utterances, features, names = utterances + more, features + [mel], names + [name]
        outputs = teacher.open_outputs(args.data, names) if args.teacher_weight else None
        seed = args.seed + self.step + 7919 * args.rank
        return Batches(utterances, features, load_noise(args.data), self.model.blank, seed, weights, outputs)

    def train(self):
        args, batches = self.args, self.batches()
        if self.step == 0:
            sample = batches.next(60, augmented=0.0)
            batches.queue.clear()
            self.model.encoder.pre_encode.initialise(sample.features, sample.lengths)
            self.workers.broadcast(self.model)
            self.average = Average(self.model, args.average)
        self.log(f"parameters {sum(p.numel() for p in self.model.parameters()) / 1e6:.2f} M, hours of data "
                 f"{sum(u.frames for u in batches.utterances) / 360000:.2f}")
        sums, count, hours = {}, 0, 0.0
        reported = saved = evaluated = time.time()
        first = self.step if args.new_schedule else 0
        finished = False
        while not finished:
            fraction = self.fraction()
            longest = args.longest if fraction > args.short_until else 8
            before = batches.hours
            augmented = args.augment if fraction > args.plain_until else 0.0
            batch = batches.next(args.seconds, longest, augmented)
            look_ahead = random.choice(args.look_aheads)
            lattice = fraction >= args.lattice_from
            losses = self.losses(batch, look_ahead, lattice)
            fade = max(0.0, 1 - fraction)
            if fraction < args.phones_until:
                total = losses["phone"] + 0.05 * losses["path"] + 0.05 * losses["ctc"]
            elif lattice:
                total = losses["lattice"] + args.path_after * losses["path"] + 0.3 * losses["ctc"] + 0.3 * fade * losses["phone"]
            else:
                total = losses["path"] + 0.3 * losses["ctc"] + (0.2 + 0.4 * fade) * losses["phone"]
            if "teacher" in losses:
                total = total + args.teacher_weight * losses["teacher"]
            self.model.zero_grad(set_to_none=True)
            total.backward()
            new_hours, finished = self.workers.reduce(self.model, batches.hours - before, self.stop or time.time() > self.end)
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), args.clip)
            rate = self.learning_rate(fraction, self.step - first)
            if math.isfinite(float(norm)):
                for one in self.optimizers:
                    for group in one.param_groups:
                        group["lr"] = rate
                    one.step()
                self.average.update()
            self.step += 1
            self.hours += new_hours
            if self.args.rank:
                continue
            count += 1
            hours += new_hours
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value)
            now = time.time()
            if now - reported > 30:
                speed = hours / (now - reported)  # hours a second
                means = " ".join(f"{name} {value / count:.3f}" for name, value in sums.items())
                self.log(f"step {self.step} {self.hours:.1f} h lr {rate:.5f} {means} norm {float(norm):.2f} {3600 * speed:.0f} h/h")
                sums, count, hours, reported = {}, 0, 0.0, now
            if now - saved > 150:
                self.save()
                saved = time.time()
            if now - evaluated > 60 * args.evaluate_every:
                self.evaluate(random.choice([1, 3, 13]))
                evaluated = time.time()
        if self.args.rank:
            return
        self.save()
        for look_ahead in (3, 13):
            self.evaluate(look_ahead)
        self.save()


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--part", action="append", required=True, help="split:alignments, e.g. train:aligned.*.jsonl")
    parser.add_argument("--run", required=True)
    parser.add_argument("--end", required=True, help="UTC time at which the schedule ends, ISO 8601")
    parser.add_argument("--init", help="start from the weights of a resume file, with a new schedule")
    parser.add_argument("--fresh", action="store_true", help="ignore RUN/resume.pt")
    parser.add_argument("--new-schedule", action="store_true", help="resume, but begin the schedule now")
    parser.add_argument("--min-score", type=float, default=-math.inf, help="leave out what realign.py scores below this")
    parser.add_argument("--weight", action="append", default=[], help="corpus=repeats an epoch, e.g. synth=0.5")
    parser.add_argument("--look-aheads", type=int, nargs="+", default=[0, 1, 3, 6, 13])
    parser.add_argument("--untold", action="append", default=[], help="split of which only the teacher's output is known")
    parser.add_argument("--teacher-weight", type=float, default=0.0, help="of the error in predicting what teacher.py wrote")
    parser.add_argument("--teacher-layer", type=int, default=7, help="encoder layer that predicts it, from 1")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--muon", action="store_true", help="orthogonalized momentum for the encoder's matrices")
    parser.add_argument("--bfloat16", action="store_true", help="encoder in bfloat16, for processors that multiply it")
    parser.add_argument("--warmup", type=int, default=200)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--clip", type=float, default=2.0)
    parser.add_argument("--average", type=float, default=0.998)
    parser.add_argument("--seconds", type=float, default=50)
    parser.add_argument("--longest", type=float, default=18)
    parser.add_argument("--short-until", type=float, default=0.05, help="fraction of the time with clips up to 8 s only")
    parser.add_argument("--phones-until", type=float, default=0.06, help="fraction of the time spent on phones first")
    parser.add_argument("--plain-until", type=float, default=0.2, help="fraction of the time without augmentation")
    parser.add_argument("--augment", type=float, default=0.5, help="share of augmented examples after that")
    parser.add_argument("--lattice-from", type=float, default=0.35)
    parser.add_argument("--path-after", type=float, default=0.3)
    parser.add_argument("--dev-limit", type=int, default=48)
    parser.add_argument("--evaluate-every", type=float, default=8, help="minutes")
    parser.add_argument("--workers", type=int, default=1, help="processes of one thread each")
    parser.add_argument("--rank", type=int, default=0, help="set by worker 0 for the others")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--random-only", action="store_true", help="write RUN/random.pt and stop")
    args = parser.parse_args()
    if args.untold and not args.teacher_weight:
        parser.error("of --untold recordings only the teacher's output is learned: give --teacher-weight, too")
    return args


def main():
    args = parse()
    torch.set_num_threads(1)
    trainer = Trainer(args)
    if args.random_only:
        trainer.save("random.pt", resume=False)
        return
    trainer.train()


if __name__ == "__main__":
    main()
