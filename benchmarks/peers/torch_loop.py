"""PyTorch autograd, one network after the other; hooks measure each gradient when it comes by, and let go of it."""

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.grids import Stack
from benchmarks.peers import Columns, Peer, log10_columns
from benchmarks.peers.torch_setting import LARGEST, NORMALISE, PHI, flushed, norm, shares

Network = tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]  # W, x, y


def draw(stack: Stack, dtype: str) -> Iterator[Network]:
    generator, dtype = torch.Generator().manual_seed(0), getattr(torch, dtype)

    def normal(rows: int) -> torch.Tensor:
        return torch.randn(rows, stack.width, generator=generator, dtype=dtype)

    for gain in stack.gains.tolist():
        W = [normal(stack.width).mul_(gain).requires_grad_() for _ in range(stack.depth)]
        yield W, normal(stack.batch), normal(stack.batch)


def given(stack: Stack, weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> Iterator[Network]:
    return (([torch.tensor(w, requires_grad=True) for w in W], torch.tensor(x), torch.tensor(y)) for W in weights)


def record(stack: Stack, networks: Iterator[Network]) -> Columns:
    forward, backward = zip(*(one_network(stack, *network) for network in networks), strict=True)
    rms, slope_mean, dead = np.moveaxis(np.stack(forward), -1, 0)  # (networks, depth) each
    names = ("grad_weights", "grad_biases", "grad_preactivations", "max_grad_preactivations", "grad_outputs")
    norms = dict(zip(names, np.moveaxis(np.stack(backward), -1, 0), strict=True))
    return log10_columns(norms | {"rms_outputs": rms}, {"slope_mean": slope_mean, "dead_fraction": dead})


def one_network(stack: Stack, W: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> tuple[np.ndarray, ...]:
    """The measures of the forward pass and of the backward pass, each (depth, measures)."""
    forward, of_r, of_z, of_z_hat, of_W = [], [], [], [], []
    normalise = NORMALISE.get(stack.normalisation)

    def weights_hook(w: torch.Tensor) -> None:
        of_W.append(norm(w.grad))
        w.grad = None

    r, root = x, (x.numel()) ** 0.5
    for k, w in enumerate(W, start=1):
        w.register_post_accumulate_grad_hook(weights_hook)
        z = r @ w
        z.register_hook(lambda grad: of_z.extend((norm(grad.sum(0)), norm(grad), norm(grad, LARGEST))))
        if normalise is not None and k < len(W):
            z = normalise(z)
            z.register_hook(lambda grad: of_z_hat.append(norm(grad)))  # for the factor of the normalisation
        r = PHI[stack.activation](z)
        r.register_hook(lambda grad: of_r.append(norm(grad)))
        with torch.no_grad():
            forward.extend((norm(r) / root, *shares(stack.activation, r)))
    (0.5 * (r - y).square().sum(1).mean()).backward()
    backward = torch.column_stack([torch.stack(of_W), torch.stack(of_z).view(-1, 3), torch.stack(of_r)])
    return torch.stack(forward).view(-1, 3).double().numpy(), backward.flip(0).double().numpy()


PEER = Peer("PyTorch loop", draw, given, record, around=flushed, normalises=True)
