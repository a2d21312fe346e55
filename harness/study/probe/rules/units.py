"""Rules on units and signals: dead and dying layers, aligned samples, inputs out of scale, and recurrence over time."""

from collections.abc import Iterator
from itertools import pairwise
from math import inf, isfinite
from statistics import median

from harness.execution.probe.record import Row
from harness.study.probe.findings import DECADES, Case, Finding, count, decades, percent
from harness.study.probe.rules.lines import lines

BENDS = ("relu", "relu6", "threshold", "hardtanh", "hardswish", "hardsigmoid")  # with slopes that are exactly 0
DYING_UNITS, DYING_SLOPES = 0.5, 0.1  # over half of the units silent, under a tenth of the slopes on
SILENT_UNITS, HEALTHY_SLOPES = 0.1, (0.3, 0.7)  # as samples align, units fall silent while half of the slopes stay on
ALIKE = 0.9999  # cosine between samples
KEEP = {
    "lstm": "a forget-gate bias of 1 to 2, nn.init.constant_(lstm.bias_hh_l0.data[H:2*H], 1.0)",
    "gru": "an update-gate bias of 1 to 2, nn.init.constant_(gru.bias_hh_l0.data[H:2*H], 1.0)",
}
KEEP_ANY = "nn.init.orthogonal_(rnn.weight_hh_l0), or an LSTM"
LARGE_INPUTS = 1.0  # log10 of their root mean square


def _hidden(case: Case) -> list[Row]:
    """Activations with slopes, up to the last weight operation."""
    last = max((row.order for row in case.recording.of_kind("weight")), default=0)
    return [row for row in case.recording.of_kind("activation") if row.slopes and row.order < last]


def dead_layer(case: Case) -> Iterator[Finding]:
    """A layer whose slopes are all 0."""
    dead = [row for row in _hidden(case) if row.slopes and row.slopes.mean == 0]
    if dead:
        yield Finding(
            "dead layer",
            "fault",
            f"{count(len(dead), 'dead activation')}, the first is {dead[0].name}: every unit is off for every sample, "
            "so nothing below learns, and it cannot recover.",
            f"{lines(case).zero_biases} and a new initialisation of the layer before it; a lower learning rate; "
            "leaky_relu",
            dead[0].path,
        )


def dying_units(case: Case) -> Iterator[Finding]:
    """Layers most of whose units are silent, and most of whose slopes are off."""
    bends = [row for row in _hidden(case) if row.op in BENDS and row.slopes]
    dying = [r for r in bends if r.slopes and r.slopes.dead > DYING_UNITS and 0 < r.slopes.mean < DYING_SLOPES]
    if dying:
        least = min(row.slopes.mean for row in dying if row.slopes)
        yield Finding(
            "dying units",
            "fault",
            f"In {len(dying)} of {len(bends)} layers over half of the units are off for every sample, and as few as "
            f"{percent(least)} of the slopes are on; the first is {dying[0].name}.",
            f"{lines(case).zero_biases}; a lower learning rate; leaky_relu or GELU",
            dying[0].path,
        )


def silent_but_healthy(case: Case) -> Iterator[Finding]:
    """Silent units beside others that are always on: samples have aligned, and nothing is dying."""
    low, high = HEALTHY_SLOPES
    silent = [
        row
        for row in _hidden(case)
        if row.op in BENDS and row.slopes and row.slopes.dead > SILENT_UNITS and low <= row.slopes.mean <= high
    ]
    worst = max(silent, key=lambda row: row.slopes.dead if row.slopes else 0, default=None)
    if worst is not None and worst.slopes and not any(dying_units(case)) and not any(dead_layer(case)):
        yield Finding(
            "silent but healthy",
            "note",
            f"Up to {percent(worst.slopes.dead)} of a layer's units are silent on this batch ({worst.name}), and "
            f"{percent(worst.slopes.always_on)} are always on: samples are alike there, and half of the slopes are on.",
            "none; a larger batch shows fewer",
            worst.path,
        )


def large_inputs(case: Case) -> Iterator[Finding]:
    """Inputs so large that the first activation alone saturates."""
    activations = [row for row in _hidden(case) if row.slopes and row.op not in BENDS]
    first = next(case.recording.of_kind("weight"), None)
    if not activations or first is None or first.argument is None or activations[0].slopes is None:
        return
    later = median([row.slopes.saturated for row in activations[1:] if row.slopes] or [0.0])
    if first.argument.rms > LARGE_INPUTS and activations[0].slopes.saturated > 0.5 > later:
        yield Finding(
            "inputs too large",
            "fault",
            f"Inputs have a root mean square of {decades(first.argument.rms)}, and "
            f"{percent(activations[0].slopes.saturated)} of the slopes of {activations[0].name} are saturated, unlike "
            "those of later layers.",
            "x = (x - x.mean()) / x.std()",
            activations[0].path,
        )


def inputs_forgotten(case: Case) -> Iterator[Finding]:
    """Samples that have become alike on the way up."""
    known = [row for row in _hidden(case) if isfinite(row.output_cosine)]
    if known and known[-1].output_cosine > ALIKE:
        yield Finding(
            "inputs forgotten",
            "warning",
            f"At {known[-1].name} any two samples have a cosine of {known[-1].output_cosine:.6f}: the output hardly "
            "depends on the input.",
            "smaller biases, weights at their critical scale, normalisations or skips",
            known[-1].path,
        )


def over_time(case: Case) -> Iterator[Finding]:
    """A recurrent network whose gradient vanishes or explodes from the last time steps back to the first."""
    for row in case.recording.of_kind("recurrent"):
        steps = len(row.over_time)
        if steps < 2:
            continue
        ends = max(1, min(5, steps // 4))
        near, far = max(row.over_time[-ends:]), max(row.over_time[:ends])
        change = far - near if near > -inf else 0.0
        per_step = _decades_per_step(row.over_time)
        if change < -DECADES:
            yield Finding(
                "vanishing over time",
                "fault",
                f"{row.name}: inputs {steps} steps back get {_change(change)} of the last ones' gradient "
                f"({per_step:+.2f} decades a step), so it sees about {abs(DECADES / per_step):.0f} steps back.",
                f"{KEEP.get(row.op, KEEP_ANY)}; shorter sequences, attention, or a loss at every step",
                row.path,
            )
        elif change > DECADES:
            yield Finding(
                "exploding over time",
                "fault",
                f"{row.name}: inputs {steps} steps back get {_change(change)} of the last ones' gradient "
                f"({per_step:+.2f} decades a step).",
                "torch.nn.utils.clip_grad_norm_; nn.init.orthogonal_ for the hidden weights",
                row.path,
            )


def _decades_per_step(sizes: tuple[float, ...]) -> float:
    """The change from one step to that before it: the median over the steps at which a gradient arrives."""
    changes = [far - near for far, near in pairwise(sizes) if isfinite(far) and isfinite(near)]
    return median(changes) if changes else 0.0


def _change(change: float) -> str:
    return decades(change) if isfinite(change) else "nothing"


RULES = (dead_layer, dying_units, silent_but_healthy, large_inputs, inputs_forgotten, over_time)
