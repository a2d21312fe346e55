"""python -m benchmarks.training [--runs N]: a training step of the harness beside PyTorch, in turn, on one core.

Every contender trains the same networks on the same minibatches; before anything is timed, their weights after 20 steps
must agree to 1e-12 in float64. The harness also carries exponents and keeps the norm ledger. Times are medians of
processor milliseconds for one step of one network; a ratio is the median of the ratios within each round.
"""

from benchmarks import one_thread  # noqa: F401, I001  (before numpy)

import argparse
import time
from statistics import median

import numpy as np
import torch

from benchmarks import machine
from harness.engine.training.at_start import Run, drawn
from harness.engine.training.loop import Trained
from harness.networks.kinds import Choice
from harness.networks.spec import NetworkSpec
from harness.networks.training.recipe import Recipe

NETWORKS, BATCH, STEPS = 64, 32, 8
RATES = {"sgd": 0.01, "momentum": 0.002, "adam": 0.001}
OPTIMISERS = {
    "sgd": lambda parameters, **how: torch.optim.SGD(parameters, RATES["sgd"], **how),
    "momentum": lambda parameters, **how: torch.optim.SGD(parameters, RATES["momentum"], momentum=0.9, **how),
    "adam": lambda parameters, **how: torch.optim.Adam(parameters, RATES["adam"], **how),
}


class Harness:
    """Runs trained side by side by the training loop of a sweep."""

    def __init__(self, runs: list[Run], dtype: np.dtype) -> None:
        self.trained = Trained(runs, drawn(runs, 0, dtype), "cross_entropy")

    def step(self, x: np.ndarray, y: np.ndarray) -> None:
        shape = (len(self.trained.runs), *x.shape[1:])
        self.trained.step(np.broadcast_to(x, shape), np.broadcast_to(y, (*shape[:2], y.shape[-1])))

    def weights(self) -> list[np.ndarray]:
        return [W[:, 0] for W in self.trained.stack.weights]


class Products:
    """The three products of every layer alone, on operands that stay in the cache."""

    def __init__(self, runs: list[Run], dtype: np.dtype) -> None:
        rng, spec = np.random.default_rng(0), runs[0].spec
        self.layers = []
        for k in range(spec.depth):
            fans, some = spec.fans(k), min(4, len(runs))
            shapes = [(some, BATCH, fans[0]), (some, *fans), (some, BATCH, fans[1])]
            self.layers += [[rng.standard_normal(shape).astype(dtype) for shape in shapes]] * (len(runs) // some)

    def step(self, x: np.ndarray, y: np.ndarray) -> None:
        for r, W, delta in self.layers:
            np.matmul(r, W)
            np.matmul(r.swapaxes(-1, -2), delta)
            np.matmul(delta, W.swapaxes(-1, -2))


class Bmm:
    """All networks as one batch of matrices, with autograd and one optimiser for all."""

    fused = False

    def __init__(self, runs: list[Run], dtype: np.dtype) -> None:
        stack = drawn(runs, 0, dtype)
        self.layers = [
            [torch.tensor(part[:, 0].copy(), requires_grad=True) for part in both]
            for both in zip(stack.weights, stack.biases, strict=True)
        ]
        parameters = [part for both in self.layers for part in both]
        self.optimiser = OPTIMISERS[runs[0].recipe.optimiser.name](parameters, fused=self.fused)
        self.phi = getattr(torch, runs[0].spec.activation.name)

    def step(self, x: np.ndarray, y: np.ndarray) -> None:
        count = len(self.layers[0][0])
        r, labels = torch.from_numpy(x).expand(count, -1, -1), torch.from_numpy(y[0]).argmax(1).repeat(count)
        for k, (W, b) in enumerate(self.layers, start=1):
            z = torch.baddbmm(b, r, W)
            r = z if k == len(self.layers) else self.phi(z)
        self.optimiser.zero_grad()
        (torch.nn.functional.cross_entropy(r.flatten(0, 1), labels, reduction="sum") / x.shape[1]).backward()
        self.optimiser.step()

    def weights(self) -> list[np.ndarray]:
        return [W.detach().numpy() for W, _ in self.layers]


class FusedBmm(Bmm):
    """The same with the fused optimiser, which takes one pass over the weights."""

    fused = True


class Vmap(Bmm):
    """All networks by torch.func: the gradient of one network, mapped over the batch of them; one optimiser for all."""

    def __init__(self, runs: list[Run], dtype: np.dtype) -> None:
        super().__init__(runs, dtype)
        self.gradients = torch.func.vmap(torch.func.grad(self._cost), in_dims=(0, None, None))

    def _cost(self, layers: list[list[torch.Tensor]], r: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        for k, (W, b) in enumerate(layers, start=1):
            z = torch.addmm(b, r, W)
            r = z if k == len(layers) else self.phi(z)
        return torch.nn.functional.cross_entropy(r, labels)

    def step(self, x: np.ndarray, y: np.ndarray) -> None:
        layers = [[part.detach() for part in both] for both in self.layers]
        found = self.gradients(layers, torch.from_numpy(x[0]), torch.from_numpy(y[0]).argmax(1))
        for both, of_both in zip(self.layers, found, strict=True):
            for part, gradient in zip(both, of_both, strict=True):
                part.grad = gradient
        self.optimiser.step()


class Loop:
    """One network after another, each with its own optimiser."""

    def __init__(self, runs: list[Run], dtype: np.dtype) -> None:
        self.each = [Bmm([run], dtype) for run in runs]

    def step(self, x: np.ndarray, y: np.ndarray) -> None:
        for one in self.each:
            one.step(x, y)

    def weights(self) -> list[np.ndarray]:
        return [np.concatenate(layers) for layers in zip(*(one.weights() for one in self.each), strict=True)]


CONTENDERS = {
    "harness": Harness,
    "PyTorch loop": Loop,
    "torch.func.vmap": Vmap,
    "bmm": Bmm,
    "bmm, fused": FusedBmm,
    "products alone": Products,
}


def minibatches(dtype: np.dtype, steps: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(1)
    one_hot = np.eye(10, dtype=dtype)
    return [
        (rng.standard_normal((1, BATCH, 64)).astype(dtype), one_hot[rng.integers(0, 10, (1, BATCH))])
        for _ in range(steps)
    ]


def runs_of(optimiser: str, activation: str, depth: int, width: int, count: int) -> list[Run]:
    ends = {"input_width": 64, "output_width": 10, "output": "linear"}
    spec = NetworkSpec(
        activation=Choice(activation), init=Choice("he_normal"), bias_scale=0.0, depth=depth, width=width, **ends
    )
    return [Run(spec, i, Recipe(Choice(optimiser), RATES[optimiser], None, BATCH)) for i in range(count)]


def require_agreement() -> None:
    """Raise SystemExit where the weights of a contender differ from the harness's after 20 steps."""
    for optimiser in RATES:
        runs, double = runs_of(optimiser, "tanh", 5, 16, 2), np.dtype(float)
        made = {name: make(runs, double) for name, make in CONTENDERS.items() if make is not Products}
        for x, y in minibatches(double, 20):
            for contender in made.values():
                contender.step(x, y)
        for name, contender in made.items():
            pairs = zip(contender.weights(), made["harness"].weights(), strict=True)
            if (largest := max(np.abs(a - b).max() for a, b in pairs)) > 1e-12:
                raise SystemExit(f"{name}, {optimiser}: weights differ by {largest:.1e} from the harness's")


def timed(runs: list[Run], dtype: np.dtype, rounds: int) -> dict[str, list[float]]:
    """Processor milliseconds for one step of one network, by contender, round by round."""
    made, batches = {name: make(runs, dtype) for name, make in CONTENDERS.items()}, minibatches(dtype, STEPS)
    times: dict[str, list[float]] = {name: [] for name in made}
    for i in range(rounds + 1):
        for name, contender in made.items():
            started = time.process_time()
            for x, y in batches:
                contender.step(x, y)
            if i:  # the first round warms up
                times[name].append(1e3 * (time.process_time() - started) / STEPS / len(runs))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="rounds; the table has medians (default: 5)")
    rounds = parser.parse_args().runs
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    require_agreement()
    print(f"{machine.line()} Medians of {rounds} rounds; {NETWORKS} networks, batch {BATCH}.\n")
    others = [name for name in CONTENDERS if name != "harness"]
    print(f"| optimiser, activation, depth, width, dtype | harness ms | {' | '.join(f'× {name}' for name in others)} |")
    print("|---|---|" + "---|" * len(others))
    for depth, width in ((8, 32), (8, 64)):
        for optimiser in RATES:
            for dtype in ("float32", "float64"):
                times = timed(runs_of(optimiser, "relu", depth, width, NETWORKS), np.dtype(dtype), rounds)
                ratios = [median(a / b for a, b in zip(times[name], times["harness"], strict=True)) for name in others]
                cells = " | ".join(f"{value:.2f}" for value in (median(times["harness"]), *ratios))
                print(f"| {optimiser}, relu, {depth}, {width}, {dtype} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
