"""Rules on number formats: what float16 and bfloat16 would read as zero, the loss scale for it, and Adam's eps."""

from collections.abc import Iterator
from math import floor, isfinite, log2

from harness.execution.probe.record import Recording, Row
from harness.execution.probe.tables import FORMATS
from harness.study.probe.findings import Case, Finding, count, percent
from harness.study.probe.rules.lines import lines

TOP = 15  # float16 holds magnitudes under 2^16
MOST = 24  # a larger loss scale than 2^24 is no longer sensible
WORTH_A_WORD = 0.05  # share of a gradient's entries
EPS_SHARE = 0.5


def foretold(case: Case) -> Iterator[Finding]:
    """What a format would read as zero, from the exponents of a run in float32 or float64."""
    rows = [row for row in case.recording.rows if row.grad_argument and row.kind != "loss"]
    if not rows or any(row.grad_argument and row.grad_argument.dtype in FORMATS for row in rows):
        return
    for name, power in FORMATS.items():
        lossy = [row for row in rows if lost(row, power) > WORTH_A_WORD]
        if not lossy:
            continue
        worst = max(lossy, key=lambda row: lost(row, power))
        sentence = (
            f"{name} would read {percent(lost(worst, power))} of the gradient's entries in {worst.name} as 0, and more "
            f"than 5 % in {len(lossy)} of {len(rows)} operations."
        )
        yield Finding(f"{name} underflow foretold", "warning", sentence, _scale(case, rows, name), worst.path)


def lost(row: Row, power: int) -> float:
    """Share of the entries of a gradient, zeros aside, under 2^power."""
    return row.grad_argument.share_below(power) if row.grad_argument else 0.0


def loss_scale(recording: Recording) -> int:
    """The power of two by which a loss can be multiplied in float16 without overflow."""
    rows = [row for row in recording.rows if row.kind != "loss"]
    largest = [size.largest for row in rows for size in (row.grad_argument, row.grad_result) if size]
    finite = [value for value in largest if isfinite(value)]
    return max(0, min(MOST, floor(TOP - max(finite) * log2(10)))) if finite else 0


def _scale(case: Case, rows: list[Row], name: str) -> str:
    if name != "float16":
        return "no loss scale helps a format of float32's range: remedy the vanishing first"
    scale = loss_scale(Recording(rows))
    left = max(lost(row, FORMATS[name] - scale) for row in rows)
    if left > WORTH_A_WORD:
        return (
            f"no loss scale serves all layers: the largest, 2.0**{scale}, leaves {percent(left)} at worst; remedy the "
            "vanishing first, or use bfloat16"
        )
    return f"{lines(case).loss_scale.format(power=scale)}: then {percent(left)} at worst; or bfloat16"


def adam_eps(case: Case) -> Iterator[Finding]:
    """Weights whose gradients are so small that Adam's eps, and no longer their size, sets the step."""
    rows = [row for row in case.recording.rows if isfinite(row.under_eps)]
    small = [row for row in rows if row.under_eps > EPS_SHARE]
    if small:
        yield Finding(
            "under Adam's eps",
            "warning",
            f"In {len(small)} of {count(len(rows), 'layer')} most entries of ∂C/∂W are under 1e-8, Adam's default eps: "
            "there its step is not of the size of the learning rate but shrinks with the gradient. The worst is "
            f"{max(small, key=lambda row: row.under_eps).name}.",
            f"{lines(case).adam} in float32 gives these layers their step; a remedy of the vanishing is better",
            small[0].path,
        )


RULES = (foretold, adam_eps)
