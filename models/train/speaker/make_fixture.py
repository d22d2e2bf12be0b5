#!/usr/bin/env python3
"""Write engine/tests/data/speaker-network.safetensors: a small network with random weights, log-mel frames, and what
PyTorch makes of them: the gate of each step, and the embeddings of two stretches."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from speaker_network import MEL_BANDS, SpeakerNetwork

TARGET = Path(__file__).resolve().parents[3] / "engine/tests/data/speaker-network.safetensors"
STRETCHES = ((0, 12), (12, 30))


def main():
    torch.manual_seed(7)
    network = SpeakerNetwork(stack=4, width=20, blocks=2, embedding=12)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_((0.5 if parameter.dim() > 1 else 0.1) * parameter.abs().mean() * torch.randn_like(parameter))
        network.gate.weight.mul_(2)
        mel = -8 + 3 * torch.randn(1, 120, MEL_BANDS)
        mel[:, 40:60] -= 5
        network.train()
        network(mel.view(4, 30, MEL_BANDS))  # running means and variances
        network.eval()
        x, gate = network.steps(mel)
        weight = torch.sigmoid(gate)
        embeddings = torch.cat([network.embed(x[:, a:b], weight[:, a:b]) for a, b in STRETCHES])
    tensors = network.tensors()
    tensors["log_mel"] = mel[0].contiguous()
    tensors["gates"] = weight[0].contiguous()
    tensors["embeddings"] = embeddings.contiguous()
    print(weight.std(), embeddings[0] @ embeddings[1])
    save_file(tensors, TARGET, network.metadata())


if __name__ == "__main__":
    main()
