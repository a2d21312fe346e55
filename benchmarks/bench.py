"""The harness beside a PyTorch loop with autograd, over the same grid of networks, on one core and one BLAS thread.

2 activations × 8 weight scales × 8 depths (2 … 256), width 128, batch 64. The harness records all its columns, the
loop the norms of four gradients, the largest delta and the dead fraction. Medians of five runs taken in turn, in
seconds of processor time. PyTorch is not among the project's packages: without it the harness is timed alone.
Also: 100,000 networks of width 3 and depth 10, and the peak memory of depth 5000.
"""

import os
import resource
import statistics
import sys
import time

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1"))

import numpy as np

from harness.data import DataSpec
from harness.executors import keep_freed_memory
from harness.network import Choice, NetworkSpec
from harness.plan import plan
from harness.run import Settings, run_block

ACTIVATIONS = ("relu", "sigmoid")
SCALES = np.linspace(0.5, 2, 8).tolist()
DEPTHS = tuple(2**i for i in range(1, 9))
WIDTH, BATCH, RUNS = 128, 64, 5


def networks(depths, scales, width):
    return tuple(
        NetworkSpec(Choice(activation), Choice("he_normal"), scale, 0.0, depth, width, width, width)
        for activation in ACTIVATIONS for scale in scales for depth in depths
    )  # fmt: skip


def harness(specs, dtype: str, batch: int = BATCH, replicates: int = 1) -> None:
    settings = Settings(0, DataSpec(batch=batch), "squared", dtype, 3.0)
    for block in plan(specs, settings, replicates).blocks:
        run_block(block.block, settings)


def torch_loop(dtype: str) -> None:
    import torch

    dtype = getattr(torch, dtype)
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=dtype)  # noqa: E731
    for phi in (torch.relu, torch.sigmoid):
        for scale in SCALES:
            for depth in DEPTHS:
                x, y = draw(BATCH, WIDTH), draw(BATCH, WIDTH)
                W = [(draw(WIDTH, WIDTH) * (scale * (2 / WIDTH) ** 0.5)).requires_grad_() for _ in range(depth)]
                record(x, y, W, phi)


def record(x, y, W, phi) -> list:
    zs, rs, r = [], [], x
    for weights in W:
        zs.append(r @ weights)
        rs.append(r := phi(zs[-1]))
        zs[-1].retain_grad()
        r.retain_grad()
    (0.5 * (r - y).square().sum(1).mean()).backward()
    return [
        tuple(map(float, (w.grad.norm(), z.grad.sum(0).norm(), z.grad.norm(), r.grad.norm(), z.grad.abs().max(),
                          (z <= 0).all(0).double().mean())))
        for w, z, r in zip(W, zs, rs, strict=True)
    ]  # fmt: skip


def seconds(run, *arguments) -> float:
    started = time.process_time()
    run(*arguments)
    return time.process_time() - started


def side_by_side(dtype: str, peer: bool) -> None:
    specs = networks(DEPTHS, SCALES, WIDTH)
    ours, theirs = [], []
    for _ in range(RUNS):
        ours.append(seconds(harness, specs, dtype))
        if peer:
            theirs.append(seconds(torch_loop, dtype))
    line = f"{dtype}: harness {statistics.median(ours):.2f} s"
    if peer:
        ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
        line += f", PyTorch loop {statistics.median(theirs):.2f} s, {ratio:.2f} times as long"
    print(line, flush=True)


def main() -> None:
    keep_freed_memory()
    try:
        import torch

        torch.set_num_threads(1)
    except ImportError:
        torch = None
        print("PyTorch is not installed; the harness alone:")
    for dtype in ("float32", "float64"):
        side_by_side(dtype, torch is not None)
    small = [NetworkSpec(Choice("relu"), Choice("he_normal"), 1.0, 0.0, 10, 3, 3, 3)]
    took = seconds(harness, small, "float64", BATCH, 100_000)
    print(f"100,000 networks of width 3, depth 10: {took:.1f} s", flush=True)
    took = seconds(harness, networks([5000], [1.0], WIDTH), "float64", 32)
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    print(f"depth 5000, width 128, batch 32, both activations: {took:.1f} s, peak memory {peak:.2f} GB", flush=True)


if __name__ == "__main__":
    main()
