"""torch.func: vmap over networks of the gradient by W, z and r, of which z and r have zeros added to receive theirs."""

import numpy as np
import torch
from torch.func import grad, vmap

from benchmarks.grids import Stack
from benchmarks.peers import Columns, Peer
from benchmarks.peers.torch_bmm import columns, draw, given
from benchmarks.peers.torch_setting import LARGEST, PHI, flushed, norm, shares

Layers = list[torch.Tensor]
MEMORY = 2**31  # bytes: of every network, W, z, r and their gradients are there at the same time


def record(stack: Stack, networks: tuple[Layers, torch.Tensor, torch.Tensor]) -> Columns:
    W, x, y = networks
    network = 3 * stack.depth * stack.width * (stack.width + stack.batch) * x.element_size()
    chunk = max(1, min(len(x), MEMORY // network))

    def one(W: Layers, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        zeros = [torch.zeros_like(x)] * stack.depth
        (grad_W, delta, grad_r), rs = grad(cost, (0, 1, 2), has_aux=True)(W, zeros, zeros, x, y, stack.activation)
        up = [torch.stack((norm(r) / x.numel() ** 0.5, *shares(stack.activation, r))) for r in rs]
        down = [
            torch.stack((norm(w), norm(d.sum(0)), norm(d), norm(d, LARGEST), norm(g)))
            for w, d, g in zip(grad_W, delta, grad_r, strict=True)
        ]
        return torch.stack(up), torch.stack(down)

    with torch.no_grad():
        up, down = vmap(one, chunk_size=chunk)(W, x, y)  # (networks, depth, measures)
    return columns(up.permute(1, 2, 0), down.permute(1, 2, 0))


def cost(
    W: Layers, on_z: Layers, on_r: Layers, x: torch.Tensor, y: torch.Tensor, activation: str
) -> tuple[torch.Tensor, Layers]:
    rs = [x]
    for w, z, r in zip(W, on_z, on_r, strict=True):
        rs.append(PHI[activation](rs[-1] @ w + z) + r)
    return 0.5 * (rs[-1] - y).square().sum(1).mean(), rs[1:]


def _draw(stack: Stack, dtype: str):
    W, x, y = draw(stack, dtype)
    return [w.detach() for w in W], x, y


def _given(stack: Stack, weights: np.ndarray, x: np.ndarray, y: np.ndarray):
    W, x, y = given(stack, weights, x, y)
    return [w.detach() for w in W], x, y


PEER = Peer("torch.func.vmap", _draw, _given, record, around=flushed)
