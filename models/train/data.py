"""Utterances with their alignments, augmentation in the log-mel domain, and batches with frame-wise targets."""

import glob
import json
import random
from dataclasses import dataclass

import numpy as np
import torch

import augment
import teacher
from features import LOG_FLOOR
from model import halve
from prepare import open_split

PHONES = (
    "SIL AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()
)
PHONE_ID = {phone: number for number, phone in enumerate(PHONES)}
SLOT_STEP = 2  # mel frames between the phone targets of one encoder frame
EMIT_DELAY = 3.0  # mel frames of right context a token has at least before it is emitted
EMIT_JITTER = 4.0
NOISE_SHARE = 0.15  # of the examples stand beside noise
STILL_SHARE = 0.2  # of the examples stand in more of their own background
LONGEST_TOKEN = 30  # mel frames of speech assumed before the first token's end
IGNORE = -100
JOINED_FRAMES = 200  # shorter clips are joined into sequences
UNKNOWN = 255  # phone of a frame in recordings whose alignment has tokens only
NO_ROW = -1  # row of a frame for which there is no output of the teacher
TEACHER_DELAY = 4  # mel frames of right context that an encoder frame has for the teacher's output


@dataclass
class Utterance:
    """One aligned recording: where its features lie, its tokens, when each ends, the phone of every mel frame, and the
    first row of the teacher's output for it."""

    part: int
    at: int
    frames: int
    tokens: np.ndarray
    ends: np.ndarray
    phones: np.ndarray
    text: str
    corpus: str
    speech: tuple | None  # first and last frame of speech
    row: int = NO_ROW
    told: bool = True  # what is said in it; otherwise only the teacher knows


@dataclass
class Item:
    """One training example: features with token ends, phones and rows of the teacher in the same (warped) frames."""

    mel: np.ndarray
    tokens: np.ndarray
    ends: np.ndarray
    phones: np.ndarray
    rows: np.ndarray
    told: bool = True


@dataclass
class Batch:
    features: torch.Tensor
    lengths: torch.Tensor
    tokens: torch.Tensor
    token_lengths: torch.Tensor
    emissions: torch.Tensor
    path: tuple
    path_labels: torch.Tensor
    ctc: torch.Tensor
    phones: torch.Tensor
    teacher: torch.Tensor | None  # (batch, encoder frames, parts), zero where unknown
    told: torch.Tensor  # (batch,) whether the tokens are what is said


def encoder_frames(frames):
    return halve(halve(halve(frames)))


def token_ends(pieces, words):
    """The mel frame where each piece ends: letters laid over the phones of their word in proportion."""
    ends, word, done = [], -1, 0
    for piece in pieces:
        if piece.startswith("\u2581"):
            word, done = word + 1, 0
            text, start, frames, _, phones = words[word]
            edges = np.array([p[1] for p in phones] + [start + frames], np.float64)
        done += len(piece.replace("\u2581", ""))
        ends.append(np.interp(done / len(text) * len(phones), np.arange(len(edges)), edges))
    return np.array(ends, np.float32)


def from_words(row, pieces, frames):
    """(token ends, phones, first and last frame of speech) of an alignment by align.py."""
    phones = np.zeros(frames, np.uint8)
    for *_, spans in row["words"]:
        for phone, start, count in spans:
            phones[start : start + count] = PHONE_ID.get(phone.rstrip("012"), 0)
    spoken = np.flatnonzero(phones)
    speech = (int(spoken[0]), int(spoken[-1]) + 1) if len(spoken) else None
    return token_ends(pieces, row["words"]), phones, speech


def from_tokens(row, frames):
    """The same of an alignment by realign.py."""
    ends = np.array(row["ends"], np.float32)
    speech = (max(0, int(ends[0]) - LONGEST_TOKEN), min(frames, int(ends[-1]) + 5))
    return ends, np.full(frames, UNKNOWN, np.uint8), speech


def load_utterances(folder, parts, tokenizer, min_score=-np.inf):
    """Aligned utterances of `parts`: [(split name, glob of its alignments)]; also the features of each part. Alignments
    of realign.py that score less than `min_score` are left out."""
    utterances, features, dropped, rows_before = [], [], 0, 0
    for number, (name, pattern) in enumerate(parts):
        index, mel = open_split(folder, name)
        features.append(mel)
        starts = teacher.offsets(index) + rows_before
        by_path = {row["path"]: row | {"row": int(start)} for row, start in zip(index, starts)}
        rows_before = int(starts[-1])
        for path in sorted(glob.glob(str(pattern))):
            for line in open(path):
                if not line.endswith("\n"):
                    continue
                row = json.loads(line)
                entry = by_path.get(row["path"])
                if entry is None or not (row.get("words") or row.get("ends")) or row.get("score", 0.0) < min_score:
                    dropped += 1
                    continue
                frames, tokens = entry["frames"], np.array(tokenizer.encode(row["text"]), np.int64)
                if "ends" in row:
                    ends, phones, speech = from_tokens(row, frames)
                else:
                    ends, phones, speech = from_words(row, tokenizer.encode(row["text"], out_type=str), frames)
                corpus = row["path"].split("/")[0]
                found = (number, entry["at"], frames, tokens, ends, phones, row["text"], corpus, speech, entry["row"])
                utterances.append(Utterance(*found))
    print(f"{len(utterances)} utterances, {sum(u.frames for u in utterances) / 360000:.2f} h; {dropped} left out", flush=True)
    return utterances, features


def load_untold(folder, name, part, row):
    """Recordings of a split of which only the teacher's output is known, that start at row `row` of all splits'."""
    index, mel = open_split(folder, name)
    nothing, never = np.zeros(0, np.int64), np.zeros(0, np.float32)
    return [
        Utterance(part, entry["at"], frames, nothing, never, np.full(frames, UNKNOWN, np.uint8), "", name, None, int(start) + row, False)
        for entry, start in zip(index, teacher.offsets(index))
        if (frames := entry["frames"]) >= JOINED_FRAMES
    ], mel


def load_noise(folder):
    """Log-mel frames of recorded noises, without every fifth, which models/eval/endpoint measures with, and of generated
    sounds."""
    noises = []
    for split in ("noise", "sounds"):
        index, mel = open_split(folder, split)
        kept = (row for number, row in enumerate(index) if split == "sounds" or number % 5 != 2)
        noises += [mel[row["at"] : row["at"] + row["frames"]] for row in kept if row["frames"] > 100]
    return noises


class Batches:
    """Endless batches of about `seconds` of audio; short clips are joined so that words are seen in sequence."""

    def __init__(self, utterances, features, noises, blank, seed=0, weights=None, outputs=None):
        self.utterances, self.features, self.noises, self.blank = utterances, features, noises, blank
        self.outputs = outputs  # of the teacher
        self.weights = weights or {}
        self.random = random.Random(seed)
        self.rng = np.random.default_rng(seed)
        self.queue = []
        self.hours = 0.0

    def epoch(self, seconds, longest):
        """Groups of utterances, bucketed by length, in random order."""
        short, items = [], []
        for utterance in self.utterances:
            weight = self.weights.get(utterance.corpus, 1.0)
            for _ in range(int(weight) + (self.random.random() < weight % 1)):
                if utterance.frames < JOINED_FRAMES:
                    short.append(utterance)
                elif utterance.frames <= longest * 100:
                    items.append([utterance])
        self.random.shuffle(short)
        while short:
            count = self.random.choice((1, 1, 2, 2, 3, 4, 5))
            items.append(short[:count])
            short = short[count:]
        keyed = sorted((sum(u.frames for u in item) * self.random.uniform(0.95, 1.05), n) for n, item in enumerate(items))
        groups, group, budget = [], [], 100 * seconds
        for frames, number in keyed:
            if group and (len(group) + 1) * frames > budget:
                groups.append(group)
                group = []
            group.append(items[number])
        groups.append(group)
        self.random.shuffle(groups)
        return groups

    def next(self, seconds, longest=18, augmented=1.0):
        if not self.queue:
            self.queue = self.epoch(seconds, longest)
        items = [self.item(group, augmented) for group in self.queue.pop()]
        self.hours += sum(len(item.mel) for item in items) / 360_000
        return collate(items, self.blank, self.rng, self.outputs)

    def trim(self, utterance):
        """First and last frame with most of the silence at the ends cut: it teaches little and costs time."""
        if self.rng.random() < 0.15 or utterance.speech is None:
            return 0, utterance.frames
        lead, trail = self.rng.integers(5, 40), self.rng.integers(15, 45)
        return max(0, utterance.speech[0] - lead), min(utterance.frames, utterance.speech[1] + trail)

    def item(self, group, augmented):
        mels, tokens, ends, phones, rows, at = [], [], [], [], [], 0
        for u in group:
            first, last = self.trim(u)
            mels.append(self.features[u.part][u.at + first : u.at + last].astype(np.float32))
            tokens.append(u.tokens)
            ends.append(u.ends + (at - first))
            phones.append(u.phones[first:last])
            rows.append(u.row + np.arange(first, last) // teacher.ROW_FRAMES)
            at += last - first
        item = Item(*(np.concatenate(one) for one in (mels, tokens, ends, phones, rows)))
        item.told = all(u.told for u in group)
        if self.rng.random() < STILL_SHARE and item.told:
            item = self.in_background(item)
        if self.rng.random() < NOISE_SHARE and item.told:
            item = self.beside_noise(item)
        return augment.augment(item, self.noises, self.rng) if self.rng.random() < augmented else item

    def in_background(self, item):
        """The example with up to 1.5 s of its own background before and after it, as behind a gate: in long chunks a lone
        word is heard among much that is none."""
        level = np.percentile(item.mel, 5, axis=0)
        before, after = (self.rng.integers(30, 150, size=2)).tolist()
        around = [level + self.rng.gumbel(-0.3, 0.45, (count, len(level))) for count in (before, after)]
        mel = np.concatenate([around[0], item.mel, around[1]]).astype(np.float32)
        phones = np.pad(item.phones, (before, after), constant_values=UNKNOWN)
        rows = np.pad(item.rows, (before, after), constant_values=NO_ROW)
        return Item(np.maximum(mel, LOG_FLOOR), item.tokens, item.ends + before, phones, rows)

    def beside_noise(self, item):
        """The example after or before a stretch of noise without words, or the noise alone: without these a transducer
        that has heard many single words finds some in every knock."""
        noise = self.noises[self.rng.integers(len(self.noises))]
        length = min(int(self.rng.integers(80, 400)), len(noise))
        at = self.rng.integers(len(noise) - length + 1)
        noise = noise[at : at + length].astype(np.float32)
        loudness = [np.log(np.mean(np.exp(mel)) + 1e-9) for mel in (item.mel, noise)]
        noise = np.maximum(noise + loudness[0] - loudness[1] - self.rng.uniform(-1, 5), LOG_FLOOR)
        if self.rng.random() < 0.3:
            return Item(noise, item.tokens[:0], item.ends[:0], np.full(length, UNKNOWN, np.uint8), np.full(length, NO_ROW))
        before = length if self.rng.random() < 0.5 else 0
        around = (before, length - before)
        phones = np.pad(item.phones, around, constant_values=UNKNOWN)
        rows = np.pad(item.rows, around, constant_values=NO_ROW)
        mel = np.concatenate([noise, item.mel] if before else [item.mel, noise])
        return Item(mel, item.tokens, item.ends + before, phones, rows)


def emission_frames(ends, frames, rng):
    """Encoder frame of every token: the first that sees a little past the token's end; never decreasing."""
    delayed = ends + EMIT_DELAY + rng.uniform(0, EMIT_JITTER, len(ends))
    return np.clip(np.maximum.accumulate(np.ceil(delayed / 8)), 0, frames - 1).astype(np.int64)


def ctc_labels(tokens, emissions, frames, blank):
    """Frame labels with one frame a token, a blank between repeated ones; blank elsewhere; None if too dense."""
    labels = np.full(frames, blank, np.int64)
    last, before = -1, blank
    for token, frame in zip(tokens, emissions):
        frame = max(frame, last + (2 if token == before else 1))
        if frame >= frames:
            return np.full(frames, IGNORE, np.int64)
        labels[frame] = token
        last, before = frame, token
    return labels


def teacher_targets(rows, frames, outputs):
    """(frames, parts): the mean of the teacher's output over the 80 ms that end TEACHER_DELAY before what an encoder frame
    sees; zeros where any of it is unknown."""
    at = 8 * np.arange(frames)[:, None] - 8 - TEACHER_DELAY + np.arange(1, 8, 2)[None]
    inside = (at >= 0) & (at < len(rows))
    wanted = np.where(inside, rows[np.clip(at, 0, len(rows) - 1)], NO_ROW)
    known = (wanted != NO_ROW).all(1)
    targets = np.zeros((frames, outputs.shape[1]), np.float32)
    found = outputs[wanted[known]].astype(np.float32)  # (known frames, 4, parts)
    targets[known] = found.mean(1) * found.any(2).all(1)[:, None]
    return targets


def collate(items, blank, rng, outputs=None):
    frames = [len(item.mel) for item in items]
    encoder = [encoder_frames(n) for n in frames]
    longest, most = max(encoder), max(1, *(len(item.tokens) for item in items))
    features = np.zeros((len(items), max(frames), items[0].mel.shape[1]), np.float32)
    tokens = np.full((len(items), most), 0, np.int64)
    emissions = np.full((len(items), most), 0, np.int64)
    ctc = np.full((len(items), longest), IGNORE, np.int64)
    phones = np.full((len(items), longest, 8 // SLOT_STEP), IGNORE, np.int64)
    taught = None if outputs is None else np.zeros((len(items), longest, outputs.shape[1]), np.float32)
    rows, times, states, labels = [], [], [], []
    for b, item in enumerate(items):
        count, n_tokens = encoder[b], len(item.tokens)
        features[b, : frames[b]] = item.mel
        tokens[b, :n_tokens] = item.tokens
        emit = emission_frames(item.ends, count, rng)
        emissions[b, :n_tokens] = emit
        if item.told:
            ctc[b, :count] = ctc_labels(item.tokens, emit, count, blank)
        slot = 8 * np.arange(count)[:, None] - 8 + SLOT_STEP * np.arange(8 // SLOT_STEP)[None]
        inside = (slot >= 0) & (slot < frames[b])
        labels_here = item.phones[np.clip(slot, 0, frames[b] - 1)].astype(np.int64)
        phones[b, :count] = np.where(inside & (labels_here != UNKNOWN), labels_here, IGNORE)
        if outputs is not None:
            taught[b, :count] = teacher_targets(item.rows, count, outputs)
        if not item.told:
            continue
        # The aligned path through the lattice: every token at its frame, a blank that ends each frame.
        order = np.argsort(np.concatenate([emit, np.arange(count) + 0.5]), kind="stable")
        time = np.concatenate([emit, np.arange(count)])[order]
        label = np.concatenate([item.tokens, np.full(count, blank)])[order]
        is_token = order < n_tokens
        rows.append(np.full(len(order), b))
        times.append(time)
        states.append(np.cumsum(is_token) - is_token)
        labels.append(label)
    nothing = [np.zeros(0)]  # where nothing is told
    path = tuple(torch.from_numpy(np.concatenate(nothing + x).astype(np.int64)) for x in (rows, times, states))
    return Batch(
        torch.from_numpy(features), torch.tensor(frames), torch.from_numpy(tokens),
        torch.tensor([len(item.tokens) for item in items]), torch.from_numpy(emissions), path,
        torch.from_numpy(np.concatenate(nothing + labels).astype(np.int64)), torch.from_numpy(ctc), torch.from_numpy(phones),
        None if taught is None else torch.from_numpy(taught), torch.tensor([item.told for item in items]),
    )
