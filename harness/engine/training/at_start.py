"""Training runs, those of one shape that are trained side by side, and their networks at the start."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled, unscaled
from harness.engine.lanes.groups import PLAIN, Remedy, remedy_of
from harness.engine.remedied.scaled_start import scaled_start
from harness.networks.activations import ACTIVATIONS, Activation
from harness.networks.data import DataSpec
from harness.networks.draws import draw_parameters
from harness.networks.families import base_variance
from harness.networks.remedies.standardised import standardise
from harness.networks.spec import NetworkSpec, activation_of
from harness.networks.training.recipe import Recipe, optimiser_of

TOGETHER_BYTES = 2**24  # of the weights, moments and layers of the runs that are trained together
MOST_TOGETHER = 64  # runs; numpy's calls are then a small part of a step


@dataclass(frozen=True)
class Run:
    """One network, drawn once, trained by one recipe."""

    spec: NetworkSpec
    replicate: int
    recipe: Recipe

    @property
    def key(self) -> str:
        """The column `run`: the key of the network and that of the recipe."""
        return f"{self.spec.network(self.replicate)}-{self.recipe.key}"

    @property
    def shape(self) -> tuple[Hashable, ...]:
        """What runs that are trained side by side have in common."""
        spec, recipe = self.spec, self.recipe
        fans = tuple(spec.fans(k) for k in range(spec.depth))
        return fans, spec.activation, spec.output, self.remedy, recipe.optimiser, recipe.batch

    @property
    def remedy(self) -> Remedy:
        """What stands between and beside the equations of its hidden layers while it is trained.

        The scaling of LSUV and the rule of Fixup are of the start alone, whose weights they have made.
        """
        remedy = remedy_of(self.spec) or PLAIN
        alpha = 1.0 if remedy.last_ruled else remedy.alpha
        return replace(remedy, alpha=alpha, rule_gain=1.0, last_ruled=0, within=None, tied=self.spec.tied)

    @property
    def activations(self) -> list[Activation]:
        """The activation of each layer."""
        hidden = activation_of(self.spec.activation)
        last = hidden if self.spec.output == "activation" else ACTIVATIONS[self.spec.output]()
        return [hidden] * (self.spec.depth - 1) + [last]

    def bytes(self, dtype: np.dtype) -> int:
        """Bytes of weights, gradients and moments, and of the layers of one minibatch."""
        fans = [self.spec.fans(k) for k in range(self.spec.depth)]
        standardised = 2 if self.spec.weight_standardised else 0  # W and v_hat beside V
        copies = 2 + len(optimiser_of(self.recipe.optimiser).moments) + standardised
        weights = copies * sum(i * o for i, o in fans)
        layers = (4 if self.remedy == PLAIN else 8) * self.recipe.batch * sum(o for _, o in fans)
        return (weights + layers) * dtype.itemsize


@dataclass(frozen=True)
class Stack:
    """The networks of runs of one shape. The arrays change as the runs are trained.

    One update serves all parameters of a layer: W[k], with b[k] as the row below it, and where the layer is normalised
    with gamma and beta as the last rows. Where weights are standardised, V[k] is in the place of W[k]: it is what is
    trained, and W[k] = deviation · v_hat of it (networks/remedies/standardised.py). Tied layers hold copies that stay
    equal, for each gets the gradient of all.
    """

    layers: list[Array]  # (runs, 1, fan_in + 1 or 3, fan_out)
    activations: Sequence[Activation]
    remedy: Remedy = PLAIN
    deviations: Sequence[Array] = ()  # of the columns of standardised W[k], (runs, 1, 1, 1); none without V

    def __getitem__(self, runs: slice | Array) -> Stack:
        """Some of the runs."""
        some = [[of_layer[runs] for of_layer in of_layers] for of_layers in (self.layers, self.deviations)]
        return replace(self, layers=some[0], deviations=some[1])

    def multiplying(self) -> tuple[Stack, list[tuple[Array, Array]]]:
        """The networks with the weights that multiply r, and of each layer v_hat of V[k] and deviation/s.

        These are the networks themselves, and an empty list, unless weights are standardised.
        """
        if not self.deviations:
            return self, []
        layers, of_trained = [], []
        for V, layer, deviation in zip(self.weights, self.layers, self.deviations, strict=True):
            v_hat, inverse = standardise(V, 1.0)
            layers.append(np.concatenate([deviation * v_hat, layer[..., V.shape[-2] :, :]], axis=-2))
            of_trained.append((v_hat, deviation * inverse))
        return replace(self, layers=layers, deviations=()), of_trained

    @property
    def distinct(self) -> list[int]:
        """The layers k whose parameters are not those of a layer below: all, or of tied ones the first of them."""
        last = len(self.layers) - 1
        return [k for k in range(last + 1) if k < 2 or k == last or not self.remedy.tied]

    def fan_in(self, k: int) -> int:
        """The number of rows of W[k]."""
        return self.layers[k].shape[-2] - (3 if self.normalised(k) else 1)

    def normalised(self, k: int) -> bool:
        """Whether the layer above W[k] is normalised: the hidden ones are, if any are."""
        return self.remedy.normalisation is not None and k < len(self.layers) - 1

    @property
    def weights(self) -> list[Array]:
        """W[k], or V[k] where weights are standardised: what is trained, (runs, 1, fan_in, fan_out), as views."""
        return [layer[..., : self.fan_in(k), :] for k, layer in enumerate(self.layers)]

    @property
    def biases(self) -> list[Array]:
        """b[k], (runs, 1, 1, fan_out), as views."""
        return [layer[..., (n := self.fan_in(k)) : n + 1, :] for k, layer in enumerate(self.layers)]

    @property
    def gammas(self) -> list[Array]:
        """gamma of each normalised layer, (runs, 1, 1, fan_out), as views."""
        return [layer[..., -2:-1, :] for k, layer in enumerate(self.layers) if self.normalised(k)]

    @property
    def betas(self) -> list[Array]:
        """beta of each normalised layer, (runs, 1, 1, fan_out), as views."""
        return [layer[..., -1:, :] for k, layer in enumerate(self.layers) if self.normalised(k)]

    def scaled_biases(self) -> list[Scaled]:
        """Copies of the biases, which may be normalised."""
        return [unscaled(b.copy()) for b in self.biases]

    def squares(self) -> tuple[Array, Array]:
        """‖W[k]‖² and ‖b[k]‖², each (runs, depth), float64."""
        both = [[np.square(p.astype(np.float64)).sum(axis=(1, 2, 3)) for p in ps] for ps in (self.weights, self.biases)]
        return np.stack(both[0], axis=-1), np.stack(both[1], axis=-1)


def runs_of(specs: Iterable[NetworkSpec], replicates: Iterable[int], recipes: Sequence[Recipe]) -> list[Run]:
    """Every network trained by every recipe: by network, replicate and recipe."""
    replicates = list(replicates)
    return [Run(spec, replicate, recipe) for spec in specs for replicate in replicates for recipe in recipes]


def trained_together(runs: Sequence[Run], dtype: np.dtype) -> Iterator[list[Run]]:
    """The runs in parts of one shape that fit into the cache. No result depends on how they are parted."""
    alike: dict[tuple, list[Run]] = {}
    for run in runs:
        alike.setdefault(run.shape, []).append(run)
    for members in alike.values():
        size = min(MOST_TOGETHER, max(2, TOGETHER_BYTES // members[0].bytes(dtype)))
        for first in range(0, len(members), size):
            yield members[first : first + size]


def drawn(runs: Sequence[Run], seed: int, dtype: np.dtype, data: DataSpec | None = None) -> Stack:
    """The networks of runs of one shape before the first step. `data`: whose batch LSUV scales weights by."""
    rows, deviations = zip(*(_parameters(run, seed, dtype, data) for run in runs), strict=True)
    layers, scales = (
        [np.stack(of_layer)[:, None].astype(dtype) for of_layer in zip(*of_runs, strict=True)]
        for of_runs in (rows, deviations)
    )
    return Stack(layers, runs[0].activations, runs[0].remedy, scales)


def _parameters(run: Run, seed: int, dtype: np.dtype, data: DataSpec | None) -> tuple[list[Array], list[Array]]:
    """The parameters of each layer as rows, (fan_in + 1 or 3, fan_out), and `Stack.deviations`, (1, 1) each."""
    spec, standardised = run.spec, run.spec.weight_standardised
    weights, biases = draw_parameters(replace(spec, weight_standardised=False), seed, run.replicate)
    gains = [spec.gain(*spec.fans(k)) for k in range(spec.depth)]
    if spec.within is not None:
        assert data is not None
        scaled, of_batch = scaled_start(spec, seed, run.replicate, data, dtype)
        ratios = [new / old for old, new in zip(gains, of_batch, strict=True)]
        weights = [V * ratio for V, ratio in zip(weights, ratios, strict=True)] if standardised else scaled
        gains = of_batch
    layers = [[W, b] for W, b in zip(weights, biases, strict=True)]
    for layer in layers[:-1] if run.remedy.normalisation else ():
        layer += [np.ones_like(layer[1]), np.zeros_like(layer[1])]  # gamma and beta
    stds = [sqrt(base_variance(spec.family, *spec.fans(k))) for k in range(spec.depth)]
    deviations = [np.full((1, 1), gain * std) for gain, std in zip(gains, stds, strict=True)]
    return [np.vstack(layer) for layer in layers], deviations if standardised else []
