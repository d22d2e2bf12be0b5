"""NeMo's streaming FastConformer transducer, module by module, from the configuration of a checkpoint.

Importing `nemo.collections.asr` needs most of NeMo's dependencies, and the three modules wanted here do not. So the
packages above them are entered without running their `__init__`, and imports that these modules never call are
replaced by empty ones. Source: https://pypi.org/project/nemo-toolkit/ (Apache-2.0).
"""

import importlib.abc
import importlib.machinery
import importlib.util
import pathlib
import sys
import types
from unittest.mock import MagicMock

# Packages whose `__init__` is not run.
BARE = [
    "nemo.collections",
    "nemo.collections.asr",
    "nemo.collections.asr.modules",
    "nemo.collections.asr.models",
    "nemo.collections.asr.parts",
    "nemo.collections.asr.parts.mixins",
    "nemo.collections.asr.parts.utils",
    "nemo.collections.asr.parts.submodules",
    "nemo.collections.common",
]

# Imported on the way, never called.
UNUSED = (
    "onnx",
    "nv_one_logger",
    "transformers",
    "nemo.lightning",
    "nemo.collections.asr.data",
    "nemo.collections.asr.models.configs",
    "nemo.collections.asr.modules.audio_preprocessing",
    "nemo.collections.asr.parts.context_biasing",
    "nemo.collections.asr.parts.preprocessing",
    "nemo.utils.webdataset",
)


class _Unused(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if any(name == unused or name.startswith(unused + ".") for unused in UNUSED):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        module.__path__, module.__name__, module.__spec__ = [], spec.name, spec
        return module

    def exec_module(self, module):
        pass


def _enter(name, root):
    module = types.ModuleType(name)
    module.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
    module.__package__ = name
    sys.modules[name] = module


_root = pathlib.Path(importlib.util.find_spec("nemo").submodule_search_locations[0])
sys.meta_path.insert(0, _Unused())
for _name in BARE:
    _enter(_name, _root)

from nemo.collections.asr.modules.conformer_encoder import ConformerEncoder  # noqa: E402
from nemo.collections.asr.modules.rnnt import RNNTDecoder, RNNTJoint  # noqa: E402


def encoder(config, xscaling=None):
    """NeMo's encoder for the `encoder` part of a model configuration."""
    return ConformerEncoder(
        feat_in=config["mel_bins"],
        n_layers=config["layers"],
        d_model=config["d_model"],
        causal_downsampling=True,
        subsampling="dw_striding",
        subsampling_factor=config["subsampling"],
        subsampling_conv_channels=config["subsampling_channels"],
        ff_expansion_factor=config["d_ff"] // config["d_model"],
        self_attention_model="rel_pos",
        n_heads=config["heads"],
        # `forward` sets it for each call; the constructor refuses a left context that is not whole chunks.
        att_context_size=[0, 0],
        att_context_style="chunked_limited",
        xscaling=config["xscaling"] if xscaling is None else xscaling,
        conv_kernel_size=config["conv_kernel"],
        conv_norm_type="layer_norm",
        conv_context_size="causal",
    ).eval()


def forward(module, mel, look_ahead, left_context):
    """The whole utterance at once: mel `[frames, mel_bins]` to encoder frames `[n, d_model]`."""
    import torch

    module.att_context_size = [left_context, look_ahead]
    with torch.no_grad():
        out, lengths = module.forward_internal(mel.T.unsqueeze(0), torch.tensor([mel.shape[0]]))
    return out[0, :, : lengths[0]].T.contiguous()


def decoder(config):
    """NeMo's LSTM prediction network."""
    predictor = config["predictor"]
    prednet = {"pred_hidden": predictor["hidden"], "pred_rnn_layers": predictor["layers"], "dropout": 0.0}
    return RNNTDecoder(prednet=prednet, vocab_size=config["vocab_size"], blank_as_pad=True).eval()


def joint(config):
    """NeMo's joint network, giving unnormalized scores."""
    jointnet = {
        "encoder_hidden": config["encoder"]["d_model"],
        "pred_hidden": config["predictor"]["hidden"],
        "joint_hidden": config["joiner"]["hidden"],
        "activation": config["joiner"]["activation"],
        # Not applied in evaluation, but it takes a place in the numbering of the layers.
        "dropout": 0.1,
    }
    return RNNTJoint(jointnet=jointnet, num_classes=config["vocab_size"], log_softmax=False).eval()
