"""Checks of export.py: python -m pytest tests"""

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from export import FEATURES, export  # noqa: E402

CONFIG = {
    "mel_bands": 80, "d_model": 16, "n_layers": 1, "n_heads": 2, "d_ff": 32, "conv_kernel": 5,
    "subsampling_channels": 4, "subsampling_factor": 8, "pred_hidden": 8, "joint_hidden": 6, "vocab_size": 3,
    "left_context": 12, "look_aheads": [3, 0, 1], "dropout": 0.1,
}  # fmt: skip
STATE = {
    "joint.enc.weight": torch.arange(96, dtype=torch.float32).reshape(6, 16) / 64,
    "joint.enc.bias": torch.zeros(6),
    "ctc_decoder.decoder_layers.0.bias": torch.ones(4),
    "aux_phone.bias": torch.ones(2),
    "steps": torch.tensor(7),
}


def run(tmp_path, state=STATE, tokens=("<unk>", "▁a", "b"), look_ahead=1, dtype="f16", keep_aux=False, endpoint=None):
    source, target = tmp_path / "ckpt.pt", tmp_path / "out.safetensors"
    torch.save({"config": CONFIG, "tokens": list(tokens), "model": state, "step": 7}, source)
    export(source, target, "tiny", "en", look_ahead, dtype, keep_aux, endpoint)
    with safe_open(target, "pt") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}


def test_weights_and_description_are_written(tmp_path):
    metadata, tensors = run(tmp_path)
    assert metadata["format"] == "linnet-checkpoint"
    assert json.loads(metadata["tokens"]) == ["<unk>", "▁a", "b"]
    config = json.loads(metadata["config"])
    assert config["encoder"]["look_aheads"] == [0, 1, 3] and config["encoder"]["default_look_ahead"] == 1
    assert config["features"]["mel_bins"] == 80 and config["vocab_size"] == 3
    assert set(tensors) == {"joint.enc.weight", "joint.enc.bias"}
    assert tensors["joint.enc.weight"].dtype == torch.float16
    assert torch.equal(tensors["joint.enc.weight"].float(), STATE["joint.enc.weight"])


def test_auxiliary_heads_are_kept_when_asked(tmp_path):
    _, tensors = run(tmp_path, dtype="f32", keep_aux=True)
    assert "ctc_decoder.decoder_layers.0.bias" in tensors and "aux_phone.bias" in tensors and "steps" not in tensors
    assert tensors["joint.enc.bias"].dtype == torch.float32


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ValueError, match="2 tokens"):
        run(tmp_path, tokens=("a", "b"))
    with pytest.raises(ValueError, match="look-ahead 2"):
        run(tmp_path, look_ahead=2)
    with pytest.raises(ValueError, match="joint.enc.bias.*f32"):
        run(tmp_path, state={**STATE, "joint.enc.bias": torch.full((6,), 1e6)})


def test_an_endpointing_network_becomes_part_of_the_model(tmp_path):
    config = {"stack": 4, "width": 2, "hidden": 3, "features": {**FEATURES, "mel_bins": 80}}
    path = tmp_path / "endpoint.safetensors"

    def write(format="linnet-endpoint", **features):
        described = json.dumps({**config, "features": {**config["features"], **features}})
        save_file({"endpoint.mean": torch.ones(80)}, path, {"format": format, "config": described})

    write()
    metadata, tensors = run(tmp_path, endpoint=path)
    assert json.loads(metadata["config"])["endpoint"] == {"stack": 4, "width": 2, "hidden": 3}
    assert torch.equal(tensors["endpoint.mean"], torch.ones(80, dtype=torch.float16))
    write(hop=128)
    with pytest.raises(ValueError, match="other features"):
        run(tmp_path, endpoint=path)
    write(format="pt")
    with pytest.raises(ValueError, match="no endpointing network"):
        run(tmp_path, endpoint=path)
