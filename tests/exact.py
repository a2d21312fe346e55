"""Activations and networks in fifty digits, written from the equations and sharing no code with harness."""

from collections.abc import Callable

import mpmath as mp
import numpy as np

mp.mp.dps = 50

SELU = mp.mpf("1.6732632423543772848170429916717"), mp.mpf("1.0507009873554804934193349852946")  # alpha, scale


def _elu(z, alpha, scale):
    return scale * (z if z > 0 else alpha * mp.expm1(z))


def _elu_slope(z, alpha, scale):
    return scale * (1 if z > 0 else alpha * mp.exp(z))


def _sigmoid(z):
    return 1 / (1 + mp.exp(-z))


def _sigmoid_slope(z):
    return 1 / ((1 + mp.exp(-z)) * (1 + mp.exp(z)))


def _ncdf(z):
    return mp.ncdf(z) if abs(z) < 10**6 else mp.mpf(int(z > 0))  # mpmath gives up far out; 10^-10^11 is left out


# value and slope of one number z, and the parameters by name
FORMULAS: dict[str, tuple[Callable, Callable]] = {
    "relu": (lambda z, at_zero=1: max(z, mp.mpf(0)), lambda z, at_zero=1: mp.mpf(at_zero if z == 0 else int(z > 0))),
    "leaky_relu": (
        lambda z, negative_slope=0.01: z * (1 if z > 0 else negative_slope),
        lambda z, negative_slope=0.01: mp.mpf(1 if z > 0 else negative_slope),
    ),
    "linear": (lambda z: z, lambda z: mp.mpf(1)),
    "hard_tanh": (lambda z: min(max(z, mp.mpf(-1)), mp.mpf(1)), lambda z: mp.mpf(int(abs(z) < 1))),
    "sigmoid": (_sigmoid, _sigmoid_slope),
    "tanh": (mp.tanh, lambda z: 1 / mp.cosh(z) ** 2),
    "erf": (mp.erf, lambda z: 2 / mp.sqrt(mp.pi) * mp.exp(-(z**2))),
    "elu": (lambda z, alpha=1: _elu(z, alpha, 1), lambda z, alpha=1: _elu_slope(z, alpha, 1)),
    "selu": (lambda z: _elu(z, *SELU), lambda z: _elu_slope(z, *SELU)),
    "gelu": (lambda z: z * _ncdf(z), lambda z: _ncdf(z) + z * mp.npdf(z)),
    "silu": (lambda z: z * _sigmoid(z), lambda z: _sigmoid(z) + z * _sigmoid_slope(z)),
    "relu6": (lambda z: min(max(z, mp.mpf(0)), mp.mpf(6)), lambda z: mp.mpf(int(0 < z < 6))),
    "softplus": (lambda z: mp.log1p(mp.exp(z)) if z < 0 else z + mp.log1p(mp.exp(-z)), _sigmoid),
}


def array(values: np.ndarray) -> np.ndarray:
    """The same numbers as mpmath's."""
    return np.vectorize(mp.mpf, otypes=[object])(np.asarray(values, dtype=np.float64))


def log10(value: mp.mpf) -> float:
    return -np.inf if value == 0 else float(mp.log10(value))


def log10_norm(a: np.ndarray) -> float:
    return log10(mp.sqrt(mp.fsum(v * v for v in a.flat)))


def log10_largest(a: np.ndarray) -> float:
    return log10(max(abs(v) for v in a.flat))


def cosine(a: np.ndarray) -> float:
    """Mean cosine between two different rows, weighted by their lengths."""
    rows = [(mp.sqrt(mp.fsum(v * v for v in row)), row) for row in a]
    pairs = [(p, q) for i, p in enumerate(rows) for j, q in enumerate(rows) if i != j]
    weight = mp.fsum(p[0] * q[0] for p, q in pairs)
    return (
        float(mp.fsum(v * w for p, q in pairs for v, w in zip(p[1], q[1], strict=True)) / weight) if weight else np.nan
    )


def _cross_entropy(r: np.ndarray, y: np.ndarray) -> tuple[mp.mpf, np.ndarray]:
    powers = np.vectorize(mp.exp, otypes=[object])(r)
    p = powers / powers.sum(axis=1, keepdims=True)
    return -mp.fsum(mp.log(v) for v in (p * y).sum(axis=1)) / len(r), (p - y) / len(r)


def _binary_cross_entropy(r: np.ndarray, y: np.ndarray) -> tuple[mp.mpf, np.ndarray]:
    p = np.vectorize(_sigmoid, otypes=[object])(r)
    return -mp.fsum(mp.log(v if t else 1 - v) for v, t in zip(p.flat, y.flat, strict=True)) / len(r), (p - y) / len(r)


# Cost and gradient from outputs and targets. The cross-entropies cancel as written: give them digits enough.
COSTS = {
    "squared": lambda r, y: (mp.fsum(((r - y) ** 2).flat) / (2 * len(r)), (r - y) / len(r)),
    "linear": lambda r, y: (mp.fsum((r * y).flat) / len(r), y / len(r)),
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy": _binary_cross_entropy,
    "sum": lambda r, y: (mp.fsum(r.flat), np.full_like(r, mp.mpf(1))),
}


def network(
    parameters, name: str, slope_bound: float, cost: str = "squared", output: str = "activation", **chosen: float
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Every column of a network with given (weights, biases, inputs, targets): per layer, and of the whole."""
    weights, biases = ([array(a) for a in arrays] for arrays in parameters[:2])
    x, y = array(parameters[2]), array(parameters[3])
    r, slopes = [x], []
    for k, (W, b) in enumerate(zip(weights, biases, strict=True), start=1):
        last = k == len(weights) and output != "activation"
        phi, slope = FORMULAS[output if last else name]
        options = {} if last else chosen
        z = r[-1] @ W + b
        r.append(np.vectorize(lambda v: phi(v, **options), otypes=[object])(z))  # noqa: B023  called at once
        slopes.append(np.vectorize(lambda v: slope(v, **options), otypes=[object])(z))  # noqa: B023
    cost_value, grad_r = COSTS[cost](r[-1], y)
    log10_cost = log10(abs(cost_value))
    rows = []
    for k in range(len(weights), 0, -1):
        delta = grad_r * slopes[k - 1]
        below = delta @ weights[k - 1].T
        bound = slope_bound if k < len(weights) or output == "activation" else 0.25 if output == "sigmoid" else 1.0
        rows.append(_row(weights[k - 1], r[k - 1], r[k], slopes[k - 1], grad_r, delta, below, bound))
        grad_r = below
    layers = {column: np.array([row[column] for row in reversed(rows)]) for column in rows[0]}
    return layers, {"log10_cost": log10_cost} | _whole(layers)


def _row(W, r_below, r, slope, grad_r, delta, grad_below, bound) -> dict[str, float]:
    units = slope.shape[1]
    norm_delta, norm_r = log10_norm(delta), log10_norm(grad_r)
    return {
        "log10_norm_weights": log10_norm(W),
        "log10_rms_outputs": log10_norm(r) - np.log10(r.size) / 2,
        "log10_max_outputs": log10_largest(r),
        "mean_outputs": float(mp.fsum(r.flat) / r.size),
        "std_outputs": float(mp.sqrt(mp.fsum((v - mp.fsum(r.flat) / r.size) ** 2 for v in r.flat) / r.size)),
        "slope_mean": float(mp.fsum(slope.flat) / slope.size),
        "slope_rms": float(mp.sqrt(mp.fsum(v * v for v in slope.flat) / slope.size)),
        "dead_fraction": sum(all(v == 0 for v in slope[:, j]) for j in range(units)) / units,
        "saturated_fraction": sum(abs(v) < mp.mpf(bound) / 100 for v in slope.flat) / slope.size,
        "output_cosine": cosine(r),
        "log10_grad_weights": log10_norm(r_below.T @ delta),
        "log10_grad_biases": log10_norm(delta.sum(axis=0)),
        "log10_grad_preactivations": norm_delta,
        "log10_grad_outputs": norm_r,
        "log10_max_grad_preactivations": log10_largest(delta),
        "log10_activation_factor": norm_delta - norm_r,
        "log10_weight_factor": log10_norm(grad_below) - norm_delta,
        "delta_cosine": cosine(delta),
    }


# 1 + mantissa bits and smallest exponent of the formats: half of the smallest subnormal rounds to 0
HALF_SMALLEST = {"float16": -25, "bfloat16": -134, "float32": -150, "float64": -1075}


def _whole(layers: dict[str, np.ndarray]) -> dict[str, float]:
    delta, largest = layers["log10_grad_preactivations"], layers["log10_max_grad_preactivations"]
    gain = delta[0] - delta[-1]
    result = {"log10_gradient_gain": gain, "slope_per_layer": gain / (len(delta) - 1)}
    for name, power in HALF_SMALLEST.items():
        lost = [k for k, value in enumerate(largest, start=1) if value < power * float(mp.log10(2))]
        result[f"zero_from_layer_{name}"] = max(lost, default=np.nan)
    return result
