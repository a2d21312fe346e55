"""PyTorch autograd over all networks of a stack at once, by bmm, with the hooks of the loop."""

import numpy as np
import torch

from benchmarks.grids import Stack
from benchmarks.peers import Columns, Peer, log10_columns
from benchmarks.peers.torch_setting import LARGEST, PHI, flushed, norm, shares

Networks = tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]  # W (networks, n, n) for each layer, x, y
EACH = (-2, -1)  # axes of one network


def draw(stack: Stack, dtype: str) -> Networks:
    generator, dtype = torch.Generator().manual_seed(0), getattr(torch, dtype)
    gains = torch.tensor(stack.gains, dtype=dtype)[:, None, None]

    def normal(rows: int) -> torch.Tensor:
        return torch.randn(len(stack.scales), rows, stack.width, generator=generator, dtype=dtype)

    W = [normal(stack.width).mul_(gains).requires_grad_() for _ in range(stack.depth)]
    return W, normal(stack.batch), normal(stack.batch)


def given(stack: Stack, weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> Networks:
    W = [torch.tensor(w, requires_grad=True) for w in weights.swapaxes(0, 1)]
    return W, torch.tensor(x).repeat(len(weights), 1, 1), torch.tensor(y).repeat(len(weights), 1, 1)


def record(stack: Stack, networks: Networks) -> Columns:
    W, r, y = networks
    up, of_r, of_z, of_W = [], [], [], []

    def weights_hook(w: torch.Tensor) -> None:
        of_W.append(norm(w.grad, dim=EACH))
        w.grad = None

    def delta_hook(grad: torch.Tensor) -> None:
        of_z.append(torch.stack((norm(grad.sum(-2), dim=-1), norm(grad, dim=EACH), norm(grad, LARGEST, EACH))))

    root = r[0].numel() ** 0.5
    for w in W:
        w.register_post_accumulate_grad_hook(weights_hook)
        z = torch.bmm(r, w)
        z.register_hook(delta_hook)
        r = PHI[stack.activation](z)
        r.register_hook(lambda grad: of_r.append(norm(grad, dim=EACH)))
        with torch.no_grad():
            up.append(torch.stack((norm(r, dim=EACH) / root, *shares(stack.activation, r))))
    (0.5 * (r - y).square().sum() / stack.batch).backward()  # the networks' costs do not meet but in this sum
    down = torch.cat([torch.stack(of_W)[:, None], torch.stack(of_z), torch.stack(of_r)[:, None]], dim=1).flip(0)
    return columns(torch.stack(up), down)


def columns(up: torch.Tensor, down: torch.Tensor) -> Columns:
    """From (depth, measures, networks)."""
    rms, slope_mean, dead = up.permute(1, 2, 0).double().numpy()
    names = ("grad_weights", "grad_biases", "grad_preactivations", "max_grad_preactivations", "grad_outputs")
    norms = dict(zip(names, down.permute(1, 2, 0).double().numpy(), strict=True))
    return log10_columns(norms | {"rms_outputs": rms}, {"slope_mean": slope_mean, "dead_fraction": dead})


PEER = Peer("PyTorch bmm", draw, given, record, around=flushed)
