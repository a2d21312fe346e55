"""Checks of activations, initialisations and measures against something independent of them.

A slope is compared with finite differences, an initialisation with its draws, theory with one wide network, and a
measure of a sweep with that of the same network with its gains in place.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import sqrt

import numpy as np

from harness.base.arrays import Array
from harness.base.errors import HarnessError
from harness.base.quadrature import expectation
from harness.engine.lanes.groups import Block, Settings
from harness.engine.measures import MEASURES, Measure
from harness.engine.own.parts import Own
from harness.execution.block import run_block
from harness.execution.measure import measure
from harness.networks.activations import ACTIVATIONS, Activation
from harness.networks.data import DataSpec, draw_batch
from harness.networks.draws import draw_parameters
from harness.networks.inits import INITS, Init
from harness.networks.kinds import Choice
from harness.networks.spec import NetworkSpec
from harness.theory.mean_field import second_moment, slope_second_moment

GRID = np.linspace(-12, 12, 4801)  # of z; with 0, ±1 and other kinks that there usually are
STEP = 1e-5
SLOPE_ERROR = 1e-4  # of the largest slope: a difference errs by STEP/2 times a jump of phi'', else by 1e-10 or so
STANDARD_ERRORS = 5.0  # one false alarm in two million
WIDTH, LAYERS, DRAWS = 1000, 6, 20


@dataclass(frozen=True)
class Check:
    """What was checked of a part, whether it holds, and the numbers in words."""

    part: str
    what: str
    good: bool
    found: str

    @property
    def line(self) -> str:
        """The check in one line, as `harness check` prints it."""
        return f"{'holds' if self.good else 'FAILS'}  {self.part}: {self.what}: {self.found}"


def built_in() -> Own:
    """The built-in parts, which are always in force."""
    return Own(ACTIVATIONS.built_in, INITS.built_in, MEASURES.built_in)


def checks(own: Own) -> Iterator[Check]:
    """The checks of every part, with the default values of its parameters. Figures are not checked.

    The parts must be in force. A part that raises an error fails.
    """
    for name, make in own.activations.items():
        for what, check in ACTIVATION_CHECKS.items():
            yield _tried(f"activation {name}", what, partial(check, make()))
    for name, make_init in own.inits.items():
        yield _tried(f"initialisation {name}", "draws have the declared moments", partial(_moments, make_init()))
    for name, one in own.measures.items():
        yield _tried(f"measure {name}", "a sweep has the value of the drawn network", partial(_as_given, one))


def _tried(part: str, what: str, check: Callable[[], tuple[bool, str]]) -> Check:
    try:
        with np.errstate(all="ignore"):
            good, found = check()
    except HarnessError as error:
        good, found = False, str(error)
    except Exception as error:  # the user's code
        good, found = False, f"{type(error).__name__}: {error}"
    return Check(part, what, bool(good), found)


# Activations --------------------------------------------------------------------------------------------------------


def _slope(activation: Activation) -> tuple[bool, str]:
    """Central differences over the grid, but for places beside a declared kink."""
    far = np.all([np.abs(GRID - kink) > 2 * STEP for kink in activation.kinks] or [GRID == GRID], axis=0)
    z = GRID[far]
    difference = (activation.value(z + STEP) - activation.value(z - STEP)) / (2 * STEP)
    errors = np.abs(difference - activation.slope(z))
    worst = int(np.nanargmax(np.where(np.isnan(errors), np.inf, errors)))
    found = f"differs by {errors[worst]:.1e} at z = {z[worst]:.4g}, where it is {float(activation.slope(z)[worst]):.6g}"
    return errors[worst] <= SLOPE_ERROR * activation.slope_bound, found


def _declared(activation: Activation) -> tuple[bool, str]:
    """slope_bound, homogeneous and silent, over the grid."""
    z = GRID[GRID != 0]
    value, slope = activation.value(z), 1.0 * activation.slope(z)
    wrong = []
    if not np.abs(slope).max() <= activation.slope_bound * (1 + 1e-9):
        wrong.append(f"slope_bound is {activation.slope_bound:g}, and |slope| {np.abs(slope).max():g}")
    if activation.homogeneous and not np.allclose(activation.value(3 * z), 3 * value, rtol=1e-12):
        wrong.append("homogeneous, and phi(3z) is not 3 phi(z)")
    silent = np.zeros_like(z, dtype=bool) if activation.silent is None else activation.silent(z)
    if slope[silent].any():
        wrong.append(f"silent at z = {z[silent & (slope != 0)][0]:.4g}, and the slope is not 0 there")
    return not wrong, "; ".join(wrong) or "slope_bound, homogeneous and silent are true"


def _theory(activation: Activation) -> tuple[bool, str]:
    """E[φ²] and E[φ'²] by quadrature beside the mean squares in each layer of a network of WIDTH units, σ_w = 1.

    Given the layer below, its preactivations are normal with a known variance, so that the standard errors are known.
    """
    random = np.random.default_rng(0)
    weights = [random.normal(size=(WIDTH, WIDTH)) / sqrt(WIDTH) for _ in range(LAYERS)]
    biases = [0.5 * random.normal(size=WIDTH) for _ in range(LAYERS)]  # ½: so that no layer is at z = 0
    r, worst = random.normal(size=WIDTH), 0.0
    for W, b in zip(weights, biases, strict=True):
        q = float(np.mean(r**2)) + 0.25
        z = r @ W + b
        r = activation.value(z)
        for values, mean, power in (
            (r, second_moment(activation, q), lambda z: np.square(activation.value(z)) ** 2),
            (1.0 * activation.slope(z), slope_second_moment(activation, q), lambda z: (1.0 * activation.slope(z)) ** 4),
        ):
            error = sqrt(max(float(expectation(power, sqrt(q), activation.kinks)) - mean**2, 0) / WIDTH)
            departure = abs(float(np.mean(np.square(values))) - mean)
            worst = max(worst, departure / error if error > 1e-9 * mean else departure / (mean + 1e-300) * 1e9)
    return worst <= STANDARD_ERRORS, f"at most {worst:.1f} standard errors in {LAYERS} layers of width {WIDTH}"


ACTIVATION_CHECKS: dict[str, Callable[[Activation], tuple[bool, str]]] = {
    "the slope is the derivative": _slope,
    "what it declares": _declared,
    "theory's length map and chi_1": _theory,
}

# Initialisations ----------------------------------------------------------------------------------------------------


def _moments(init: Init) -> tuple[bool, str]:
    """Mean and σ_w of the weights and σ_b of the biases of layers of three shapes, in standard errors."""
    spec = _spec(Choice("linear"), init.name, 3, (24, 48, 12))
    drawn = [draw_parameters(spec, 0, replicate) for replicate in range(DRAWS)]
    worst = 0.0
    for k in range(spec.depth):
        fans = spec.fans(k)
        W = np.stack([weights[k] for weights, _ in drawn])
        b = np.stack([biases[k] for _, biases in drawn])
        for values, mean, sigma in (
            (W, init.mean_w(*fans), init.sigma_w(*fans) / sqrt(fans[0])),
            (b, 0.0, init.sigma_b(fans[0])),
        ):
            worst = max(worst, *_departures(values, mean, sigma))
    return worst <= STANDARD_ERRORS, f"at most {worst:.1f} standard errors in {DRAWS} draws of 3 layers"


def _departures(values: Array, mean: float, sigma: float) -> tuple[float, float]:
    """Distances of mean and variance from what is declared, in standard errors, of a variance as of normal draws."""
    if sigma == 0:
        return (0.0, 0.0) if np.allclose(values, mean, rtol=1e-12, atol=0) else (np.inf, np.inf)
    of_mean = abs(values.mean() - mean) / (sigma / sqrt(values.size))
    of_variance = abs(np.mean((values - mean) ** 2) / sigma**2 - 1) / sqrt(2 / values.size)
    return float(of_mean), float(of_variance)


# Measures -----------------------------------------------------------------------------------------------------------


def _as_given(one: Measure) -> tuple[bool, str]:
    """The column of a sweep beside that of `harness.measure` of the same weights, where gains are added and not."""
    data, worst = DataSpec(batch=5), 0.0
    for activation in (Choice("relu"), Choice("tanh")):
        spec = _spec(activation, "he_normal", 5, (4, 9, 3), scale=1.3)
        made = run_block(Block((spec,), range(1)), Settings(0, data, "squared", "float64", decades=3.0))
        swept = made.layers[one.name].to_numpy()
        inputs, targets = draw_batch(data, 0, [0], spec.input_width, spec.output_width, np.float64)
        given = measure(*draw_parameters(spec, 0, 0), inputs[0], targets[0], activation=activation.name)
        column = given.layers[one.name].to_numpy(dtype=float)
        if not np.array_equal(np.isnan(swept), np.isnan(column)):
            return False, f"{activation.name}: null in one of both"
        worst = max(worst, float(np.nanmax(np.abs(swept - column), initial=0)))
    advice = "" if worst <= 1e-9 else "; if a factor on the weights changes it, say as which measure: scales_as=…"
    return worst <= 1e-9, f"differs by {worst:.1e}{advice}"


def _spec(activation: Choice, init: str, depth: int, widths: tuple[int, int, int], scale: float = 1.0) -> NetworkSpec:
    """A network of `widths` inputs, hidden units and outputs."""
    inputs, width, outputs = widths
    return NetworkSpec(
        activation=activation,
        init=Choice(init),
        weight_scale=scale,
        depth=depth,
        width=width,
        input_width=inputs,
        output_width=outputs,
    )
