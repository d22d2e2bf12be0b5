"""Writes a streaming Zipformer2 transducer with random weights as the ONNX files that sherpa-onnx opens.

    python zipformer_export.py --chunk-ms 320 --out work/zipformer-320

Time and memory of a network depend on its shape, not on what it learned, so random weights serve for both. The shape
is that of the smallest English streaming models of k2-fsa: one layer in each of the six stacks, width 128, 500 tokens.
Encoder and joiner are quantized to int8 with onnxruntime's dynamic quantization, as in the published models. The
checkpoint export of the `zipformer` package is used for the graphs and the metadata.
"""

import argparse
import json
import logging
import pathlib

import torch
from zipformer.bin import export, train

FRAME_MS = 10
VOCABULARY = 500

# Shapes in the options of the zipformer package.
SHAPES = {
    "3m": {
        "num_encoder_layers": "1,1,1,1,1,1",
        "feedforward_dim": "192,192,192,192,192,192",
        "encoder_dim": "128,128,128,128,128,128",
        "encoder_unmasked_dim": "128,128,128,128,128,128",
        "decoder_dim": "320",
        "joiner_dim": "320",
    },
    "20m": {
        "num_encoder_layers": "2,2,2,2,2,2",
        "feedforward_dim": "512,768,768,768,768,768",
        "encoder_dim": "192,256,256,256,256,256",
        "encoder_unmasked_dim": "192,192,192,192,192,192",
        "decoder_dim": "512",
        "joiner_dim": "512",
    },
}


def parameters(shape: str, chunk_ms: int, out: pathlib.Path):
    """The options of the package's export tool, with its defaults where `SHAPES` says nothing."""
    parser = argparse.ArgumentParser()
    train.add_model_arguments(parser)
    options = ["--causal", "1", "--use-transducer", "1", "--use-ctc", "0"]
    # The encoder works at 50 Hz, two feature frames per step.
    options += ["--chunk-size", str(chunk_ms // FRAME_MS // 2), "--left-context-frames", "128"]
    for name, value in SHAPES[shape].items():
        options += ["--" + name.replace("_", "-"), value]
    params = train.get_params()
    params.update(vars(parser.parse_args(options)))
    params.update(
        {
            "blank_id": 0,
            "sos_id": 1,
            "eos_id": 1,
            "vocab_size": VOCABULARY,
            "exp_dir": out,
            "suffix": "random",
            "dynamic_batch": True,
            "use_external_data": False,
            "export_fp16": False,
            "enable_int8_quantization": True,
        }
    )
    return params


@torch.no_grad()
def write(shape: str, chunk_ms: int, out: pathlib.Path) -> dict:
    """Exports into `out` and returns what it is."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(20)
    params = parameters(shape, chunk_ms, out)
    model = train.get_model(params)
    model.eval()
    parts = {
        "encoder": [model.encoder, model.encoder_embed, model.joiner.encoder_proj],
        "decoder": [model.decoder, model.joiner.decoder_proj],
        "joiner": [model.joiner.output_linear],
    }
    counts = {
        part: sum(p.numel() for module in modules for p in module.parameters()) for part, modules in parts.items()
    }
    export.export_onnx_streaming_transducer(params, model)

    tokens = ["<blk>", "<sos/eos>", "<unk>"] + [f"▁t{i}" for i in range(3, VOCABULARY)]
    lines = "".join(f"{token} {i}\n" for i, token in enumerate(tokens))
    (out / "tokens.txt").write_text(lines, encoding="utf-8")
    about = {"shape": shape, "chunk_ms": chunk_ms, "parameters": counts, "total": sum(counts.values())}
    (out / "about.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return about


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--shape", choices=sorted(SHAPES), default="3m")
    parser.add_argument("--chunk-ms", type=int, default=320, help="a multiple of 160 (the stacks halve it three times)")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    if arguments.chunk_ms <= 0 or arguments.chunk_ms % 160:
        parser.error("--chunk-ms must be a multiple of 160")
    logging.basicConfig(level=logging.WARNING)
    print(json.dumps(write(arguments.shape, arguments.chunk_ms, arguments.out)))


if __name__ == "__main__":
    main()
