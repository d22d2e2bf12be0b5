"""The speaker network: log-mel frames -> an embedding of the voice, causal and pooled, so that it runs once over a
stream and any stretch of it can be embedded from running sums."""

import json
import sys
from pathlib import Path

import torch
from torch import nn

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "endpoint")]

from features import MEL_BANDS  # noqa: E402
from network import FEATURES  # noqa: E402

FLOOR = 1e-3
"""Added to variances before the square root."""


class Block(nn.Module):
    """Causal depthwise convolution of three steps, linear layer, normalisation, rectifier; added to its input."""

    def __init__(self, width):
        super().__init__()
        self.taps = nn.Parameter(torch.tensor([0.3, 0.3, 0.6]).expand(width, 3) + 0.1 * torch.randn(width, 3))
        self.linear = nn.Linear(width, width, bias=False)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x):
        """(batch, steps, width) -> the same."""
        before = nn.functional.pad(x, (0, 0, 2, 0))
        mixed = before[:, :-2] * self.taps[:, 0] + before[:, 1:-1] * self.taps[:, 1] + x * self.taps[:, 2]
        return x + torch.relu(self.norm(self.linear(mixed).flatten(0, 1)).view_as(x))


class SpeakerNetwork(nn.Module):
    """Log-mel frames -> embedding of length one.

    Each band is normalised with learned mean and scale, `stack` frames make a step. Mean and deviation of the last
    layer over the steps, weighted with how much each sounds like speech (the gate), give the embedding (statistics
    pooling: Snyder et al., 2018). `threshold`, `switch` and `merge` are for the clustering: tune_clusters.py in
    ../../eval/speaker finds them.
    """

    def __init__(self, stack=4, width=128, blocks=3, embedding=96, threshold=0.5, switch=0.08, merge=0.9):
        super().__init__()
        self.limits = {"threshold": threshold, "switch": switch, "merge": merge}
        self.stack, self.width, self.embedding = stack, width, embedding
        self.mean = nn.Parameter(torch.full((MEL_BANDS,), -8.0))
        self.scale = nn.Parameter(torch.full((MEL_BANDS,), 0.35))
        self.input = nn.Linear(stack * MEL_BANDS, width, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.gate = nn.Linear(width, 1)
        self.pool_norm = nn.BatchNorm1d(2 * width)
        self.output = nn.Linear(2 * width, embedding)

    def steps(self, mel):
        """(batch, frames, 80) -> ((batch, steps, width), gate logits (batch, steps))."""
        count = mel.shape[1] // self.stack
        mel = (mel[:, : count * self.stack] - self.mean) * self.scale
        x = self.input(mel.reshape(len(mel), count, self.stack * MEL_BANDS))
        x = torch.relu(self.norm(x.flatten(0, 1)).view_as(x))
        for block in self.blocks:
            x = block(x)
        return x, self.gate(x)[..., 0]

    def embed(self, x, weight):
        """Steps (batch, steps, width) and their weights (batch, steps) -> (batch, embedding)."""
        x, weight = x.float(), weight.float()[..., None]
        total = weight.sum(1) + 1e-4
        mean = (weight * x).sum(1) / total
        square = (weight * x * x).sum(1) / total
        pooled = torch.cat([mean, torch.sqrt(torch.relu(square - mean * mean) + FLOOR)], 1)
        return nn.functional.normalize(self.output(self.pool_norm(pooled)), dim=1)

    def forward(self, mel, skip=0):
        """(batch, frames, 80) -> ((batch, embedding), gate logits); the first `skip` steps are context only."""
        x, gate = self.steps(mel)
        return self.embed(x[:, skip:], torch.sigmoid(gate[:, skip:])), gate[:, skip:]

    def config(self):
        shape = {"stack": self.stack, "width": self.width, "blocks": len(self.blocks), "embedding": self.embedding}
        return {**shape, **self.limits}

    def tensors(self):
        """The weights under the names of the model file, normalisations folded into the layers before them."""

        def fold(linear, norm):
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            return linear.weight * scale[:, None], norm.bias - norm.running_mean * scale

        out = {"speaker.mean": self.mean, "speaker.scale": self.scale}
        out["speaker.input.weight"], out["speaker.input.bias"] = fold(self.input, self.norm)
        for number, block in enumerate(self.blocks):
            name = f"speaker.blocks.{number}"
            out[f"{name}.taps"] = block.taps
            out[f"{name}.linear.weight"], out[f"{name}.linear.bias"] = fold(block.linear, block.norm)
        out["speaker.gate.weight"], out["speaker.gate.bias"] = self.gate.weight, self.gate.bias
        pool = self.pool_norm
        scale = pool.weight / torch.sqrt(pool.running_var + pool.eps)
        out["speaker.pool.scale"], out["speaker.pool.bias"] = scale, pool.bias - pool.running_mean * scale
        out["speaker.output.weight"], out["speaker.output.bias"] = self.output.weight, self.output.bias
        return {name: tensor.detach().contiguous() for name, tensor in out.items()}

    def metadata(self):
        return {"format": "linnet-speaker", "config": json.dumps({**self.config(), "features": FEATURES})}

    @classmethod
    def load(cls, path):
        """The network of a file that `train_speaker.py` wrote."""
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            config = json.loads(file.metadata()["config"])
            config.pop("features")
            network = cls(**config).eval()
            values = {name: file.get_tensor(name).float() for name in file.keys()}
        with torch.no_grad():
            for norm, name in [(network.norm, "input"), *((b.norm, f"blocks.{i}.linear") for i, b in enumerate(network.blocks))]:
                norm.running_var.fill_(1 - norm.eps)
                norm.bias.copy_(values[f"speaker.{name}.bias"])
            network.pool_norm.running_var.fill_(1 - network.pool_norm.eps)
            network.pool_norm.weight.copy_(values["speaker.pool.scale"])
            network.pool_norm.bias.copy_(values["speaker.pool.bias"])
            network.mean.copy_(values["speaker.mean"])
            network.scale.copy_(values["speaker.scale"])
            network.input.weight.copy_(values["speaker.input.weight"])
            for number, block in enumerate(network.blocks):
                block.taps.copy_(values[f"speaker.blocks.{number}.taps"])
                block.linear.weight.copy_(values[f"speaker.blocks.{number}.linear.weight"])
            network.gate.weight.copy_(values["speaker.gate.weight"])
            network.gate.bias.copy_(values["speaker.gate.bias"])
            network.output.weight.copy_(values["speaker.output.weight"])
            network.output.bias.copy_(values["speaker.output.bias"])
        return network
