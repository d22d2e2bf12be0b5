#!/usr/bin/env python3
"""Average the weights of exported checkpoints of one training run (after Izmailov et al. 2018, "Averaging weights leads to
wider optima and better generalization").

    average.py A.safetensors=0.4 B.safetensors=0.6 --out MEAN.safetensors

The shares must add up to one. Names, shapes and metadata must be the same in all files.
"""

import argparse

from safetensors import safe_open
from safetensors.numpy import save_file


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE=SHARE")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    paths, shares = zip(*((path, float(share)) for path, share in (item.rsplit("=", 1) for item in args.files)))
    if abs(sum(shares) - 1) > 1e-6:
        parser.error(f"the shares add up to {sum(shares):g}, not to one")
    files = [safe_open(path, "np") for path in paths]
    names, metadata = set(files[0].keys()), files[0].metadata()
    for path, file in zip(paths, files):
        if set(file.keys()) != names or file.metadata() != metadata:
            parser.error(f"{path} is of another model than {paths[0]}")
    mean = {}
    for name in names:
        tensors = [file.get_tensor(name) for file in files]
        mean[name] = sum(share * tensor.astype("float32") for share, tensor in zip(shares, tensors)).astype(tensors[0].dtype)
    save_file(mean, args.out, metadata)


if __name__ == "__main__":
    main()
