"""The endpointing network: causal, on log-mel frames alone, so that it runs while the encoder rests."""

import json
import sys
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from features import FFT_SIZE, HOP_SAMPLES, MEL_BANDS, PREEMPHASIS, SAMPLE_RATE, WINDOW_SAMPLES  # noqa: E402

FEATURES = {
    "sample_rate_hz": SAMPLE_RATE,
    "fft": FFT_SIZE,
    "window": WINDOW_SAMPLES,
    "hop": HOP_SAMPLES,
    "mel_bins": MEL_BANDS,
    "low_hz": 0.0,
    "high_hz": SAMPLE_RATE / 2,
    "preemphasis": PREEMPHASIS,
}
"""The front end as the engine describes it. A network fits models with the same one."""


def floors(level, rise):
    """The floor under each band, (batch, steps, bands): the lowest level so far, which rises by so much a step (after
    Martin 2001, "Noise power spectral density estimation based on optimal smoothing and minimum statistics")."""
    climb = rise * torch.arange(level.shape[1], dtype=level.dtype)[None, :, None]
    return (level - climb).cummin(1).values + climb


class Endpointer(nn.Module):
    """Log-mel frames -> P(speech) and P(end of turn), once per `stack` frames.

    Each band is normalised with learned mean and scale; the stacked frames, and how far the mean of each band is above
    its floor, go through a rectified linear layer into a GRU (Cho et al., 2014, with the reset gate behind the recurrent
    product, as cuDNN has it) and from there into two logits.
    """

    def __init__(self, stack=4, width=64, hidden=64, floor_rise=0.05):
        super().__init__()
        self.stack, self.width, self.hidden, self.floor_rise = stack, width, hidden, floor_rise
        self.mean = nn.Parameter(torch.full((MEL_BANDS,), -10.0))
        self.scale = nn.Parameter(torch.full((MEL_BANDS,), 0.3))
        self.input = nn.Linear((stack + (floor_rise > 0)) * MEL_BANDS, width)
        self.gru = nn.GRU(width, hidden, batch_first=True)
        self.output = nn.Linear(hidden, 2)

    def forward(self, mel):
        """(batch, frames, 80) -> (batch, frames // stack, 2) logits."""
        steps = mel.shape[1] // self.stack
        mel = mel[:, : steps * self.stack].reshape(len(mel), steps, self.stack, MEL_BANDS)
        x = ((mel - self.mean) * self.scale).flatten(2)
        if self.floor_rise:
            level = mel.mean(2)
            x = torch.cat([x, (level - floors(level, self.floor_rise)) * self.scale], 2)
        x, _ = self.gru(torch.relu(self.input(x)))
        return self.output(x)

    def config(self):
        return {"stack": self.stack, "width": self.width, "hidden": self.hidden, "floor_rise": self.floor_rise}

    def tensors(self):
        """The weights under the names of the model file."""
        return {
            "endpoint.mean": self.mean,
            "endpoint.scale": self.scale,
            "endpoint.input.weight": self.input.weight,
            "endpoint.input.bias": self.input.bias,
            "endpoint.gru.weight_ih_l0": self.gru.weight_ih_l0,
            "endpoint.gru.bias_ih_l0": self.gru.bias_ih_l0,
            "endpoint.gru.weight_hh_l0": self.gru.weight_hh_l0,
            "endpoint.gru.bias_hh_l0": self.gru.bias_hh_l0,
            "endpoint.output.weight": self.output.weight,
            "endpoint.output.bias": self.output.bias,
        }

    def metadata(self):
        return {"format": "linnet-endpoint", "config": json.dumps({**self.config(), "features": FEATURES})}

    @torch.no_grad()
    def widened(self, width, hidden, floor_rise):
        """The same function with so many units in the linear layer and the GRU, and floors: new units hear all and are not
        heard by anybody yet, and floors are not heard yet."""
        wide, old = Endpointer(self.stack, width, hidden, floor_rise), self.hidden
        same = ("mean", "scale", "output.bias")
        wide.load_state_dict({**wide.state_dict(), **{k: v for k, v in self.state_dict().items() if k in same}})
        wide.input.weight[: self.width] = 0
        wide.input.weight[: self.width, : self.input.in_features] = self.input.weight
        wide.input.bias[: self.width] = self.input.bias
        wide.output.weight.zero_()
        wide.output.weight[:, :old] = self.output.weight
        for (_, to), (_, weight) in zip(wide.gru.named_parameters(), self.gru.named_parameters()):
            to, weight = to.view(3, hidden, -1), weight.view(3, old, -1)
            to[:, :old] = 0
            to[:, :old, : weight.shape[2]] = weight
        return wide

    @classmethod
    def load(cls, path):
        """The network of a file that `train_endpoint.py` wrote."""
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            config = json.loads(file.metadata()["config"])
            network = cls(config["stack"], config["width"], config["hidden"], config.get("floor_rise", 0))
            with torch.no_grad():
                for name, parameter in network.tensors().items():
                    parameter.copy_(file.get_tensor(name))
        return network.eval()
