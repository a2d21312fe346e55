"""python -m benchmarks.watch [--runs N]: what `harness.watch` adds to a training loop in PyTorch, on one core.

Every round trains the same networks for as many steps without watch, with each step recorded, and with every hundredth.
Times are medians over rounds of the processor's time; a ratio is the median of the ratios within each round.
Peak memory is that of a process of its own, with and without watch.
"""

from benchmarks import one_thread  # noqa: F401, I001  (before numpy)

import argparse
import time
from contextlib import AbstractContextManager, nullcontext
from statistics import median

import torch
from torch import nn

import harness
from benchmarks import machine, memory

NETWORKS = {"20 layers of 128, batch 128": (20, 128, 128), "8 layers of 512, batch 256": (8, 512, 256)}
LOOPS = {"plain": None, "recorded": 1, "every 100": 100}  # watch's `every`; None: without watch
STEPS = {"plain": 600, "recorded": 20, "every 100": 600}


def trained(depth: int, width: int, batch: int, every: int | None, steps: int) -> float:
    """Processor seconds of one step of Adam, with watch or without; two steps before warm up."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = [part for _ in range(depth) for part in (nn.Linear(width, width), nn.ReLU())]
    model, loss = nn.Sequential(*layers, nn.Linear(width, 10)), nn.CrossEntropyLoss()
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    x, y = torch.randn(batch, width), torch.randint(10, (batch,))
    around: AbstractContextManager = nullcontext() if every is None else harness.watch(model, every=every)

    def step() -> None:
        optimiser.zero_grad()
        loss(model(x), y).backward()
        optimiser.step()

    step()
    step()
    started = time.process_time()
    with around:
        for _ in range(steps):
            step()
    return (time.process_time() - started) / steps


def row(name: str, rounds: int) -> str:
    """The table's row of one network."""
    times: dict[str, list[float]] = {loop: [] for loop in LOOPS}
    for _ in range(rounds):
        for loop, every in LOOPS.items():
            times[loop].append(trained(*NETWORKS[name], every, STEPS[loop]))
    over = {loop: median(a / b for a, b in zip(times[loop], times["plain"], strict=True)) for loop in LOOPS}
    peaks = [memory.alone(trained, *NETWORKS[name], every, 100)[1] for every in (None, 1, 100)]
    gigabytes = " | ".join(f"{peak:.2f}" for peak in peaks)
    ms = 1e3 * median(times["plain"])
    return f"| {name} | {ms:.1f} | {over['recorded']:.2f} | {100 * (over['every 100'] - 1):+.1f} % | {gigabytes} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watch", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="rounds; the table has medians (default: 5)")
    rounds = parser.parse_args().runs
    print(f"{machine.line()} Medians of {rounds} rounds.\n")
    print("| network | step, ms | recorded step × | every=100 adds | peak GB plain | all recorded | every=100 |")
    print("|---|---|---|---|---|---|---|")
    for name in NETWORKS:
        print(row(name, rounds), flush=True)


if __name__ == "__main__":
    main()
