#!/usr/bin/env python3
"""Write engine/tests/data/endpoint-network.safetensors: a small network with random weights, log-mel frames, and what
PyTorch makes of them."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from network import MEL_BANDS, Endpointer

TARGET = Path(__file__).resolve().parents[3] / "engine/tests/data/endpoint-network.safetensors"


def main():
    torch.manual_seed(5)
    network = Endpointer(stack=4, width=20, hidden=18)
    with torch.no_grad():
        for name, tensor in network.tensors().items():
            # Wide enough that gates open and close.
            tensor.mul_(2.5 if "weight" in name else 1).add_(0.1 * torch.randn_like(tensor) if tensor.dim() == 1 else 0)
        mel = -10 + 3 * torch.randn(1, 120, MEL_BANDS)
        mel[:, 40:80] -= 5
        logits = network(mel)
    tensors = {name: tensor.detach().contiguous() for name, tensor in network.tensors().items()}
    tensors["log_mel"] = mel[0].contiguous()
    tensors["probabilities"] = torch.sigmoid(logits[0]).contiguous()
    print(tensors["probabilities"].std(0), tensors["probabilities"][:5])
    save_file(tensors, TARGET, network.metadata())


if __name__ == "__main__":
    main()
