"""The clustering of engine/src/speaker/cluster.rs, to tune it and to run it on other embeddings."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Settings:
    threshold: float = 0.5  # cosine to a known voice below which it is somebody else's
    switch: float = 0.8  # what a change of speaker costs, in cosines of one hop
    lag: int = 4  # hops after which a label is settled
    run: int = 3  # hops of a stranger that make a new speaker
    merge: float = 0.8  # cosine between two speakers that are one
    memory: float = 40.0  # hops that a voice remembers
    most: int = 8  # speakers


class Clusters:
    def __init__(self, settings, dimensions):
        self.s, self.last = settings, -1
        self.voices, self.weights = np.zeros((settings.most, dimensions)), np.zeros(settings.most)

    def path(self, pending):
        """The best labels of the pending hops, `most` for a stranger, from the last settled one."""
        s, most, never = self.s, self.s.most, -1e9
        usable = [*(self.weights > 0), bool((self.weights == 0).any())]
        score = [(0.0 if self.last in (-1, state) else -s.switch) if usable[state] else never for state in range(most + 1)]
        likeness = (np.stack([embedding for embedding, _ in pending]) @ self.voices.T).tolist()
        back = []
        for number, (like, (_, voiced)) in enumerate(zip(likeness, pending)):
            if number:
                best = max(range(most + 1), key=score.__getitem__)
                jump = score[best] - s.switch
                back.append([state if value >= jump else best for state, value in enumerate(score)])
                score = [max(value, jump) if able else never for value, able in zip(score, usable)]
            if voiced:
                score = [value + add for value, add in zip(score, like + [s.threshold])]
        at = max(range(most + 1), key=score.__getitem__)
        out = [at]
        for pointers in reversed(back):
            at = pointers[at]
            out.append(at)
        return out[::-1]

    def settle(self, pending):
        """The label of the first pending hop, for good."""
        s, path = self.s, self.path(pending)
        (embedding, voiced), label = pending[0], path[0]
        if not voiced:
            return -1
        if label == s.most:
            first = next((i for i, state in enumerate(path) if state != s.most), len(path))
            run = [e for e, v in pending[:first] if v]
            if len(run) < s.run and self.weights.any():
                # Too little to know a voice by.
                self.last = int(np.argmax(np.where(self.weights > 0, self.voices @ embedding, -2)))
                return self.last
            label = int(np.argmin(self.weights > 0))
            mean = np.mean(run, axis=0)
            self.voices[label] = mean / np.linalg.norm(mean)
        self.last = label
        weight = self.weights[label]
        voice = self.voices[label] * max(weight, 1) + embedding
        self.voices[label] = voice / np.linalg.norm(voice)
        self.weights[label] = min(weight + 1, s.memory)
        self.merge()
        return self.last

    def merge(self):
        known = np.flatnonzero(self.weights)
        for i, one in enumerate(known):
            for other in known[i + 1 :]:
                if self.voices[one] @ self.voices[other] > self.s.merge:
                    total = self.weights[one] * self.voices[one] + self.weights[other] * self.voices[other]
                    self.voices[one] = total / np.linalg.norm(total)
                    self.weights[one] = min(self.weights[one] + self.weights[other], self.s.memory)
                    self.weights[other] = 0
                    self.voices[other] = 0
                    if self.last == other:
                        self.last = one
                    return


def label(embeddings, voiced, settings):
    """A label for each hop, -1 for silence."""
    clusters, labels, pending = Clusters(settings, embeddings.shape[1]), [], []
    for embedding, speech in zip(embeddings, voiced):
        pending.append((embedding, bool(speech)))
        if len(pending) > settings.lag:
            labels.append(clusters.settle(pending))
            pending.pop(0)
    while pending:
        labels.append(clusters.settle(pending))
        pending.pop(0)
    return np.array(labels)
