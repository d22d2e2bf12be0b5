"""AdamW with orthogonalized momentum for the weight matrices of the encoder (Muon: Jordan et al., 2024).

A matrix's momentum is replaced by the nearest orthogonal matrix, found by Newton-Schulz iterations, and scaled to the
size of an AdamW update (Liu et al., 2025, arXiv:2502.16982), so that one learning rate serves both kinds.
"""

import math

import torch

QUINTIC = (3.4445, -4.7750, 2.0315)  # drives all singular values into about 0.7 to 1.2 in five iterations
ITERATIONS = 5


def orthogonalize(matrices):
    """(n, rows, columns) -> the same with singular values near one.

    Every iteration multiplies from the short side by a polynomial of the Gram matrix, so all but the first and last
    products are of the short side squared.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    gram = x @ x.transpose(1, 2)
    a, b, c = QUINTIC
    product = None
    for last in (False,) * (ITERATIONS - 1) + (True,):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        product = factor if product is None else factor @ product
        if not last:
            gram = factor @ gram @ factor
    x = product @ x
    return x.transpose(1, 2) if tall else x


class Muon(torch.optim.Optimizer):
    """Orthogonalized Nesterov momentum; matrices of one shape are handled together."""

    def __init__(self, parameters, lr, momentum=0.95, weight_decay=0.0):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            shapes = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault((len(parameter), parameter[0].numel()), []).append(parameter)
            for (rows, columns), parameters in shapes.items():
                gradients = torch.stack([p.grad.view(rows, columns) for p in parameters])
                for parameter in parameters:
                    self.state[parameter].setdefault("momentum", torch.zeros(rows, columns))
                momenta = torch.stack([self.state[p]["momentum"] for p in parameters])
                momenta.lerp_(gradients, 1 - group["momentum"])
                updates = orthogonalize(gradients.lerp(momenta, group["momentum"]))
                size = 0.2 * math.sqrt(max(rows, columns)) * group["lr"]
                for parameter, momentum, update in zip(parameters, momenta, updates):
                    self.state[parameter]["momentum"].copy_(momentum)
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update.view_as(parameter), alpha=-size)


def build(model, lr, weight_decay, muon):
    """The optimizers of a model, to be stepped together; with `muon` the encoder's matrices go to Muon."""
    matrices, decayed, plain = [], [], []
    for name, parameter in model.named_parameters():
        dense = parameter.ndim == 2 or (parameter.ndim == 3 and parameter.shape[1] > 1)
        if muon and dense and name.startswith(("encoder.layers", "encoder.pre_encode.out", "joint.enc")) and "pos_bias" not in name:
            matrices.append(parameter)
        else:
            (decayed if parameter.ndim > 1 else plain).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizers = [torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), foreach=True)]
    if matrices:
        optimizers.append(Muon(matrices, lr, weight_decay=weight_decay))
    return optimizers
