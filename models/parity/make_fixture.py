"""Writes the parity fixture: a small checkpoint with random weights, inputs, and what NeMo makes of them.

    python make_fixture.py ../../engine/tests/data

writes `parity-checkpoint.safetensors` (the plain checkpoint format) and `parity-expected.safetensors`.
"""

import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file

import nemo_modules

CONFIG = {
    "name": "parity",
    "language": "en",
    "features": {
        "sample_rate_hz": 16000,
        "fft": 512,
        "window": 400,
        "hop": 160,
        "mel_bins": 80,
        "low_hz": 0.0,
        "high_hz": 8000.0,
        "preemphasis": 0.97,
    },
    "encoder": {
        "mel_bins": 80,
        "d_model": 32,
        "layers": 2,
        "heads": 4,
        "d_ff": 64,
        "conv_kernel": 9,
        "subsampling_channels": 8,
        "subsampling": 8,
        "xscaling": True,
        # Short, so that a short input runs over it; a multiple of not every chunk, so that rounding down matters.
        "left_context": 20,
        "look_aheads": [0, 1, 3, 6, 13],
        "default_look_ahead": 3,
    },
    "predictor": {"hidden": 24, "layers": 2},
    "joiner": {"hidden": 28, "activation": "relu"},
    "vocab_size": 29,
}
FRAMES = 331
SHORT = [1, 2, 7, 8, 9, 16, 17, 63, 64, 65]
TOKENS = [3, 0, 28, 28, 7, 11]


def randomize(module, generator):
    """Weights that make every term count: the default initialization leaves biases of the attention at zero, norms at
    identity, and attention close to uniform."""
    with torch.no_grad():
        for name, weight in module.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if "pos_bias" in name:
                weight.copy_(0.5 * noise)
            elif "norm" in name:
                weight.copy_(0.2 * noise + (1.0 if name.endswith("weight") else 0.0))
            elif name.endswith("bias") or "bias_" in name:
                weight.copy_(0.2 * noise)
            else:
                gain = 2.0 if any(part in name for part in ("linear_q", "linear_k", "linear_pos")) else 1.2
                weight.copy_(gain * noise / weight[0].numel() ** 0.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    generator = torch.Generator().manual_seed(20261122)
    shape = CONFIG["encoder"]

    encoder = nemo_modules.encoder(shape)
    plain = nemo_modules.encoder(shape, xscaling=False)
    decoder, joint = nemo_modules.decoder(CONFIG), nemo_modules.joint(CONFIG)
    for module in (encoder, decoder, joint):
        randomize(module, generator)
    plain.load_state_dict(encoder.state_dict())
    with torch.no_grad():
        decoder.prediction["embed"].weight[CONFIG["vocab_size"]] = 0.0

    # About the range of log-mel values, with slow changes as speech has.
    drift = torch.randn(FRAMES // 8 + 1, 80, generator=generator).repeat_interleave(8, 0)[:FRAMES]
    mel = -6.0 + 2.5 * drift + torch.randn(FRAMES, 80, generator=generator)

    expected = {"mel": mel}
    for ahead in shape["look_aheads"]:
        expected[f"encoder.{ahead}"] = nemo_modules.forward(encoder, mel, ahead, shape["left_context"])
    for frames in SHORT:
        expected[f"short.{frames}"] = nemo_modules.forward(encoder, mel[:frames], 3, shape["left_context"])
    expected["no_xscaling.3"] = nemo_modules.forward(plain, mel[:65], 3, shape["left_context"])

    with torch.no_grad():
        predicted, _ = decoder.predict(torch.tensor([TOKENS]), None, add_sos=True)
        frames = expected["encoder.3"][:4].unsqueeze(0)
        logits = joint.joint(frames, predicted)
    expected["tokens"] = torch.tensor(TOKENS, dtype=torch.float32)
    expected["logits"] = logits[0]

    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    state |= {f"decoder.{name}": value for name, value in decoder.state_dict().items()}
    state |= {f"joint.{name}": value for name, value in joint.state_dict().items()}
    state = {name: value.float().contiguous() for name, value in state.items() if "pos_enc" not in name}
    tokens = ["▁"] + [chr(ord("a") + i) for i in range(26)] + ["'", "▁the"]
    metadata = {"format": "linnet-checkpoint", "config": json.dumps(CONFIG), "tokens": json.dumps(tokens)}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, folder / "parity-checkpoint.safetensors", metadata=metadata)
    save_file({name: value.contiguous() for name, value in expected.items()}, folder / "parity-expected.safetensors")
    for name, value in expected.items():
        print(f"{name:16} {tuple(value.shape)!s:14} rms {value.square().mean().sqrt():.3f}")


if __name__ == "__main__":
    main()
