"""Write a tiny archive in the format of NVIDIA's streaming FastConformer transducers, with random weights.

    python tests/make_tiny_nemo.py ../../engine/tests/data/tiny.nemo

The engine's tests read it (engine/src/model/nemo_tests.rs). Each weight can be recomputed from its name and index, so
that they can tell whether the right ones arrived.
"""

import argparse
import io
import tarfile
import zlib

import sentencepiece
import torch
import yaml

MELS, D_MODEL, LAYERS, HEADS, KERNEL, CHANNELS = 24, 16, 2, 2, 5, 4
HIDDEN, JOINT = 12, 10
SENTENCES = ["the cat sat on the mat", "a dog ran to the cat", "the mat was on a dog", "turn on the light"]
EOU = "<EOU>"


def tokenizer():
    """A SentencePiece model in the wire format of its library."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20), model_writer=model, vocab_size=30, model_type="bpe", bos_id=-1,
        eos_id=-1, user_defined_symbols=[EOU], normalization_rule_name="identity", minloglevel=2, num_threads=1,
    )  # fmt: skip
    return model.getvalue()


def config(vocabulary):
    """What `model_config.yaml` of such a model holds, training sections left out but for one."""
    target = "nemo.collections.asr"
    return {
        "sample_rate": 16000,
        "model_defaults": {"enc_hidden": D_MODEL, "pred_hidden": HIDDEN, "joint_hidden": JOINT},
        "tokenizer": {"dir": "/tokenizer", "type": "bpe", "model_path": "nemo:5a5d_tokenizer.model"},
        "preprocessor": {
            "_target_": f"{target}.modules.AudioToMelSpectrogramPreprocessor", "sample_rate": 16000, "normalize": "NA",
            "window_size": 0.025, "window_stride": 0.01, "window": "hann", "features": MELS, "n_fft": 512,
            "frame_splicing": 1, "dither": 1.0e-05, "pad_to": 0,
        },
        "spec_augment": {"_target_": f"{target}.modules.SpectrogramAugmentation", "freq_masks": 2, "time_width": 0.05},
        "encoder": {
            "_target_": f"{target}.modules.ConformerEncoder", "feat_in": MELS, "feat_out": -1, "n_layers": LAYERS,
            "d_model": D_MODEL, "subsampling": "dw_striding", "subsampling_factor": 8,
            "subsampling_conv_channels": CHANNELS, "causal_downsampling": True, "reduction": None,
            "reduction_position": None, "reduction_factor": 1, "ff_expansion_factor": 4,
            "self_attention_model": "rel_pos", "n_heads": HEADS, "att_context_size": [[12, 3], [12, 0], [12, 1]],
            "att_context_style": "chunked_limited", "xscaling": False, "untie_biases": True, "pos_emb_max_len": 5000,
            "conv_kernel_size": KERNEL, "conv_norm_type": "layer_norm", "conv_context_size": "causal", "dropout": 0.1,
        },
        "decoder": {
            "_target_": f"{target}.modules.RNNTDecoder", "normalization_mode": None, "blank_as_pad": True,
            "prednet": {"pred_hidden": HIDDEN, "pred_rnn_layers": 1, "dropout": 0.2}, "vocab_size": len(vocabulary),
        },
        "joint": {
            "_target_": f"{target}.modules.RNNTJoint", "log_softmax": None,
            "jointnet": {"joint_hidden": JOINT, "activation": "relu", "dropout": 0.2, "encoder_hidden": D_MODEL,
                         "pred_hidden": HIDDEN},
            "num_classes": len(vocabulary), "vocabulary": vocabulary,
        },
        "decoding": {"strategy": "greedy_batch", "greedy": {"max_symbols": 10}},
        "aux_ctc": {"ctc_loss_weight": 0.3, "decoder": {"feat_in": None, "num_classes": len(vocabulary)}},
        "loss": {"loss_name": "default", "warprnnt_numba_kwargs": {"fastemit_lambda": 0.0, "clamp": -1.0}},
        "labels": vocabulary,
        "target": f"{target}.models.hybrid_rnnt_ctc_bpe_models.EncDecHybridRNNTCTCBPEModel",
    }  # fmt: skip


def shapes(vocab_size):
    """Names and shapes of the state dictionary, that of a hybrid model: with a CTC head and the features' buffers."""
    yield "preprocessor.featurizer.window", [400]
    yield "preprocessor.featurizer.fb", [1, MELS, 257]
    bins = MELS
    for index in (0, 2, 5):
        bins = bins // 2 + 1
        yield f"encoder.pre_encode.conv.{index}.weight", [CHANNELS, 1, 3, 3]
        yield f"encoder.pre_encode.conv.{index}.bias", [CHANNELS]
    for index in (3, 6):
        yield f"encoder.pre_encode.conv.{index}.weight", [CHANNELS, CHANNELS, 1, 1]
        yield f"encoder.pre_encode.conv.{index}.bias", [CHANNELS]
    yield "encoder.pre_encode.out.weight", [D_MODEL, CHANNELS * bins]
    yield "encoder.pre_encode.out.bias", [D_MODEL]
    for layer in range(LAYERS):
        for name, shape in layer_shapes():
            yield f"encoder.layers.{layer}.{name}", shape
    yield "decoder.prediction.embed.weight", [vocab_size + 1, HIDDEN]
    for side in ("ih", "hh"):
        yield f"decoder.prediction.dec_rnn.lstm.weight_{side}_l0", [4 * HIDDEN, HIDDEN]
        yield f"decoder.prediction.dec_rnn.lstm.bias_{side}_l0", [4 * HIDDEN]
    for name, inputs, outputs in (("enc", D_MODEL, JOINT), ("pred", HIDDEN, JOINT), ("joint_net.2", JOINT, vocab_size + 1)):
        yield f"joint.{name}.weight", [outputs, inputs]
        yield f"joint.{name}.bias", [outputs]
    yield "ctc_decoder.decoder_layers.0.weight", [vocab_size + 1, D_MODEL, 1]
    yield "ctc_decoder.decoder_layers.0.bias", [vocab_size + 1]


def layer_shapes():
    """Names and shapes of a layer trained with `use_bias: true`."""
    for norm in ("norm_feed_forward1", "norm_self_att", "norm_conv", "conv.batch_norm", "norm_feed_forward2", "norm_out"):
        yield f"{norm}.weight", [D_MODEL]
        yield f"{norm}.bias", [D_MODEL]
    for linear, outputs, inputs in (
        ("feed_forward1.linear1", 4 * D_MODEL, D_MODEL), ("feed_forward1.linear2", D_MODEL, 4 * D_MODEL),
        ("feed_forward2.linear1", 4 * D_MODEL, D_MODEL), ("feed_forward2.linear2", D_MODEL, 4 * D_MODEL),
        *((f"self_attn.linear_{which}", D_MODEL, D_MODEL) for which in ("q", "k", "v", "out")),
    ):  # fmt: skip
        yield f"{linear}.weight", [outputs, inputs]
        yield f"{linear}.bias", [outputs]
    yield "self_attn.linear_pos.weight", [D_MODEL, D_MODEL]
    yield "self_attn.pos_bias_u", [HEADS, D_MODEL // HEADS]
    yield "self_attn.pos_bias_v", [HEADS, D_MODEL // HEADS]
    for conv, shape in (("pointwise_conv1", [2 * D_MODEL, D_MODEL, 1]), ("pointwise_conv2", [D_MODEL, D_MODEL, 1]),
                        ("depthwise_conv", [D_MODEL, 1, KERNEL])):  # fmt: skip
        yield f"conv.{conv}.weight", shape
        yield f"conv.{conv}.bias", shape[:1]


def weights(name, shape):
    """Value i is ((CRC-32 of the name + 7919 i) mod 2001 - 1000) / 1000."""
    index = torch.arange(torch.Size(shape).numel(), dtype=torch.int64)
    values = ((zlib.crc32(name.encode()) + 7919 * index) % 2001 - 1000).float() / 1000
    if name == "decoder.prediction.embed.weight":
        values[-shape[1] :] = 0.0
    return values.reshape(shape)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("target")
    args = parser.parse_args()
    model = tokenizer()
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    vocabulary = [processor.id_to_piece(index) for index in range(processor.vocab_size())]
    state = {name: weights(name, shape) for name, shape in shapes(len(vocabulary))}
    checkpoint = io.BytesIO()
    torch.save(state, checkpoint)
    parts = {
        "./model_config.yaml": yaml.safe_dump(config(vocabulary), allow_unicode=True, sort_keys=False).encode(),
        "./model_weights.ckpt": checkpoint.getvalue(),
        "./5a5d_tokenizer.model": model,
    }
    with tarfile.open(args.target, "w") as archive:
        for name, data in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    main()
