"""Export a training checkpoint as a Linnet checkpoint: plain weights in one safetensors file (see ../FORMAT.md).

    python export.py run/ckpt.pt model.safetensors --name linnet-en-small --language en --endpoint endpoint.safetensors

The input is what ../train/train.py writes: torch.save of {"config": .., "tokens": [..], "model": state dict, ..}.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

# Heads that only training uses.
AUXILIARY = ("ctc_decoder.", "aux_")
DTYPES = {"f16": torch.float16, "f32": torch.float32}
# The front end of ../train/features.py, the same for every model trained there.
FEATURES = {
    "sample_rate_hz": 16_000,
    "fft": 512,
    "window": 400,
    "hop": 160,
    "low_hz": 0.0,
    "high_hz": 8000.0,
    "preemphasis": 0.97,
}


def model_config(trained, name, language, default_look_ahead):
    """The configuration that the engine reads, from the one that training wrote."""
    look_aheads = sorted(trained["look_aheads"])
    if default_look_ahead not in look_aheads:
        raise ValueError(f"--default-look-ahead {default_look_ahead}: the model was trained with {look_aheads}")
    return {
        "name": name,
        "language": language,
        "features": {**FEATURES, "mel_bins": trained["mel_bands"]},
        "encoder": {
            "mel_bins": trained["mel_bands"],
            "d_model": trained["d_model"],
            "layers": trained["n_layers"],
            "heads": trained["n_heads"],
            "d_ff": trained["d_ff"],
            "conv_kernel": trained["conv_kernel"],
            "subsampling_channels": trained["subsampling_channels"],
            "subsampling": trained["subsampling_factor"],
            "xscaling": False,
            "left_context": trained["left_context"],
            "look_aheads": look_aheads,
            "default_look_ahead": default_look_ahead,
        },
        "predictor": {"hidden": trained["pred_hidden"], "layers": 1},
        "joiner": {"hidden": trained["joint_hidden"], "activation": "relu"},
        "vocab_size": trained["vocab_size"],
    }


def export_tensors(state, dtype, keep_aux):
    """The tensors to store. Raises where one cannot be stored in this type."""
    tensors = {}
    for name, tensor in state.items():
        if not tensor.is_floating_point() or (name.startswith(AUXILIARY) and not keep_aux):
            continue
        stored = tensor.detach().to(dtype).contiguous().clone()
        if not torch.isfinite(stored).all():
            raise ValueError(f"{name} has values that are not finite, or too large for {dtype}; try --dtype f32")
        tensors[name] = stored
    return tensors


def read_endpoint(path, features):
    """(configuration, tensors) of the endpointing network that ../train/endpoint wrote. Raises where it does not fit."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        if metadata.get("format") != "linnet-endpoint":
            raise ValueError(f"{path} is no endpointing network")
        config = json.loads(metadata["config"])
        trained = config.pop("features")
        if trained != features:
            raise ValueError(f"{path} was trained on other features ({trained}) than the model takes ({features})")
        return config, {name: file.get_tensor(name) for name in file.keys()}


def export(source, target, name, language, default_look_ahead, dtype, keep_aux, endpoint=None):
    """Read `source`, write `target`, return (number of tensors, number of weights)."""
    checkpoint = torch.load(source, map_location="cpu", weights_only=True)
    config = model_config(checkpoint["config"], name, language, default_look_ahead)
    tokens = list(checkpoint["tokens"])
    if len(tokens) != config["vocab_size"]:
        raise ValueError(f"{source} has {len(tokens)} tokens, its configuration says {config['vocab_size']}")
    state = dict(checkpoint["model"])
    if endpoint:
        config["endpoint"], tensors = read_endpoint(endpoint, config["features"])
        state.update(tensors)
    tensors = export_tensors(state, DTYPES[dtype], keep_aux)
    metadata = {
        "format": "linnet-checkpoint",
        "config": json.dumps(config, ensure_ascii=False),
        "tokens": json.dumps(tokens, ensure_ascii=False),
    }
    Path(target).write_bytes(save(tensors, metadata))
    return len(tensors), sum(tensor.numel() for tensor in tensors.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("source", help="checkpoint written in training (.pt)")
    parser.add_argument("target", help="checkpoint to write (.safetensors)")
    parser.add_argument("--name", required=True, help="name of the model, for people")
    parser.add_argument("--language", required=True, help="BCP 47 tag, such as en")
    parser.add_argument("--default-look-ahead", type=int, default=3, help="encoder frames (default: %(default)s)")
    parser.add_argument("--dtype", choices=DTYPES, default="f16", help="type of the stored weights (default: %(default)s)")
    parser.add_argument("--keep-aux", action="store_true", help="keep the heads that only training uses")
    parser.add_argument("--endpoint", help="endpointing network to make part of the model (.safetensors)")
    args = parser.parse_args()
    try:
        count, weights = export(**vars(args))
    except (KeyError, ValueError) as error:
        sys.exit(f"cannot export {args.source}: {error}")
    print(f"{args.target}: {count} tensors, {weights:,} weights")


if __name__ == "__main__":
    main()
