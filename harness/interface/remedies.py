"""`harness predict` for networks with remedies, and the remedies that would help a network whose gradient is lost."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from harness.base.numbers import formatted
from harness.base.text_table import Table
from harness.networks.spec import Choice, NetworkSpec
from harness.theory import predict
from harness.theory.finite_width import LN10
from harness.theory.remedies import ln_attenuations, predictable

DEEPEST = 2**14  # depth up to which a prediction is computed; a loop over its layers takes a tenth of a second
NO_ANSWER = "no answer: theory has none for this order of normalisation and skip (docs/remedies.md)"

NONE, PLACE = Choice("none"), "preactivations"
PLAIN: dict[str, Any] = {"normalisation": NONE, "normalise": PLACE, "residual": NONE, "weight_standardised": False}
BATCH, LAYER, SKIPS = (
    {"normalisation": Choice("batch")},
    {"normalisation": Choice("layer")},
    {"residual": Choice("pre")},
)
STANDARDISED = {"weight_standardised": True}
# Each with its coordinates, in place of PLAIN, and what it costs.
REMEDIES: tuple[tuple[dict[str, Any], str], ...] = (
    (BATCH, "samples of a batch depend on each other; 2 numbers a unit"),
    (LAYER, "2 numbers a unit; a mean and a variance for each sample"),
    ({"normalisation": Choice("rms")}, "2 numbers a unit; a mean square for each sample"),
    (LAYER | {"normalise": "outputs"}, "2 numbers a unit; the next layer sees no saturated values"),
    (STANDARDISED, "a mean and a variance of each unit's weights, at every step"),
    (STANDARDISED | LAYER, "2 numbers a unit; means and variances of samples and of weights"),
    ({"init": Choice("lsuv"), "weight_scale": 1.0}, "a batch through the layers before training"),
    (SKIPS, "hidden layers of one width"),
    ({"residual": Choice("pre", (("depth_power", -0.5),))}, "hidden layers of one width; branches start small"),
    (SKIPS | BATCH, "hidden layers of one width; samples of a batch depend on each other"),
    (SKIPS | LAYER, "hidden layers of one width; 2 numbers a unit"),
)


def remedied_forecast(spec: NetworkSpec, batch: int, decades: float) -> Table:
    """What theory predicts for a network that is normalised or has skips, at infinite width."""
    total = attenuation(spec, batch)
    rows = [
        ("gradient, decades a layer towards the input", _decades(total / max(spec.depth - 1, 1), "+.6f")),
        ("attenuation from the last layer to the first", _decades(total, "+.2f")),
        (f"deepest within {decades:g} decades", _deepest(spec, batch, decades)),
    ]
    note = (
        f"At infinite width, with epsilon 0, Gaussian inputs of unit mean square in batches of {batch}, and a gradient "
        f"at the output that is independent of the weights. {_scales(spec)}."
    )
    words = (spec.activation.label, spec.init.label, f"width {spec.width}", f"depth {spec.depth}", _words(spec))
    title = f"{', '.join(filter(None, words))}: predicted, not run"
    return Table(title, ("what", "prediction"), rows, note)


def helpful_remedies(spec: NetworkSpec, batch: int, decades: float) -> Table | None:
    """The remedies that bring a network within so many decades; None for a network that is already there."""
    total = attenuation(spec, batch) if spec.remedied else _plain_attenuation(spec)
    if not abs(total) > decades:
        return None
    rows = [
        (_words(other, spec), _decades(attenuation(other, batch), "+.2f"), cost)
        for other, cost in _others(spec)
        if abs(attenuation(other, batch)) <= decades
    ]
    title = f"Remedies that bring it within {decades:g} decades"
    note = f"Attenuations at infinite width, in batches of {batch}; derived in docs/remedies.md."
    return Table(title, ("remedy", "attenuation (decades)", "what it costs"), rows or [("none of these", "", "")], note)


def attenuation(spec: NetworkSpec, batch: int) -> float:
    """The predicted attenuation in decades; NaN where theory has none."""
    return float(ln_attenuations([spec], np.ones(1), batch)[0, 0]) / (2 * LN10)


def _plain_attenuation(spec: NetworkSpec) -> float:
    return float(predict([spec], np.zeros(1)).slope_per_layer[0, 0]) * (spec.depth - 1)


def _others(spec: NetworkSpec) -> Iterator[tuple[NetworkSpec, str]]:
    """The network with each remedy in place of what it has."""
    for coordinates, cost in REMEDIES:
        yield replace(spec, **(PLAIN | coordinates)), cost


def _words(spec: NetworkSpec, before: NetworkSpec | None = None) -> str:
    """`batch normalisation, residual pre`; and the initialisation, if it is not that of the network `before`."""
    place = " of outputs" if spec.normalise == "outputs" else ""
    parts = [] if spec.normalisation == NONE else [f"{spec.normalisation.label} normalisation{place}"]
    parts += ["weights standardised"] if spec.weight_standardised else []
    parts += [] if before is None or spec.init == before.init else [f"init {spec.init.label}"]
    parts += [] if spec.residual == NONE else [f"residual {spec.residual.label}"]
    return ", ".join(parts)


def _scales(spec: NetworkSpec) -> str:
    """σ_w, where it does not follow from the data, and alpha."""
    sigma_w = "that of LSUV" if spec.within is not None else f"{spec.sigma_w():.6g}"
    return f"σ_w = {sigma_w}, alpha = {spec.branch_scale:g}"


def _deepest(spec: NetworkSpec, batch: int, decades: float) -> str:
    """The depth up to which the attenuation stays within so many decades, by bisection."""
    if not predictable(replace(spec, depth=2), batch):
        return NO_ANSWER

    def within(depth: int) -> bool:
        return abs(attenuation(replace(spec, depth=depth), batch)) <= decades

    low, high = 1, 2
    while within(high):
        low, high = high, 2 * high
        if low >= DEEPEST:
            return f"depth {low:,} and beyond"
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if within(middle) else (low, middle)
    return f"depth {low:,}"


def _decades(value: float, form: str) -> str:
    return formatted(value, form) if np.isfinite(value) else NO_ANSWER
