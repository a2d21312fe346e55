"""Rules on the graph: what is not finite, what is cut off, what is zero, and what the loss itself loses."""

from collections.abc import Iterator
from math import inf, isnan

from harness.execution.probe.record import Row
from harness.study.probe.findings import Case, Finding, count, decades, percent
from harness.study.probe.rules.lines import lines

SMALL_COST = 1e-3  # at a cost under it a vanishing gradient at the output is what training aims for
LOST_AT_LOSS = -2.0  # decades of the factor of the batch between the last weights and the loss
LOST_SAMPLES = 1 / 3  # of the samples; usual initialisations of a softmax lose under a sixth, saturated ones over 0.4


def non_finite_forward(case: Case) -> Iterator[Finding]:
    """The first operation with a NaN or infinite result."""
    for row in case.recording.rows:
        if row.result is None or row.result.is_finite:
            continue
        what = "NaN" if isnan(row.result.largest) else "infinity"
        clean = row.argument is not None and row.argument.is_finite
        where = " from finite inputs" if clean else ""
        before = (
            "an operation before it, and the inputs"
            if row.argument is not None and not clean
            else "the operation itself"
        )
        yield Finding(
            "non-finite forward",
            "fault",
            f"{row.name} puts out {what}{where}; it is the first recorded operation to do so. Look at {before}.",
            "look for log, sqrt or a division at 0 just before; in float16 use bfloat16 or float32 there",
            row.path,
        )
        return


def non_finite_backward(case: Case) -> Iterator[Finding]:
    """The operation, from the loss down, that makes a finite gradient NaN or infinite."""
    for row in reversed(case.recording.rows):
        arrived, passed = row.grad_result, row.grad_argument
        if arrived and passed and arrived.is_finite and not passed.is_finite:
            what = "NaN" if isnan(passed.largest) else "infinite"
            yield Finding(
                "non-finite backward",
                "fault",
                f"The gradient becomes {what} in {row.name}; what reaches it is finite, at most "
                f"{decades(arrived.largest)}.",
                "smaller weights or a normalisation before it; in float16 a smaller loss scale",
                row.path,
            )
            return


def detached(case: Case) -> Iterator[Finding]:
    """The loss has no graph, or parameters that took part get no gradient."""
    recording = case.recording
    last = recording.cuts[-1] if recording.cuts else None
    cut = f".{last.op}() in {last.path or 'the loss or the model'}, {last.place}" if last else ""
    if not recording.has_graph:
        why = f"the last cut is {cut}" if last else "gradients are switched off, or nothing asks for one"
        yield Finding(
            "detached",
            "fault",
            f"The loss has no graph, so backward() has nothing to follow: {why}.",
            "remove that call, or compute the loss from the tensor before it",
            last.place if last else "",
        )
        return
    took_part = {row.param for row in recording.rows} | {row.path for row in recording.rows}
    lost = [n for n in recording.without_gradient if n in took_part or n.rpartition(".")[0] in took_part]
    if lost:
        why = f"by {cut}" if last else "by no_grad, .data, whole numbers or numpy"
        yield Finding(
            "detached",
            "fault",
            f"No gradient reaches {count(len(lost), 'parameter')} that took part ({_from_to(lost)}): the graph is cut "
            f"{why}.",
            "remove the cut if it is not meant",
            last.place if last else lost[-1],
        )


def unused(case: Case) -> Iterator[Finding]:
    """Parameters that took no part in the forward pass."""
    recording = case.recording
    took_part = {row.param for row in recording.rows} | {row.path for row in recording.rows}
    idle = [n for n in recording.without_gradient if n not in took_part and n.rpartition(".")[0] not in took_part]
    if idle and recording.has_graph:
        sentence = f"The forward pass does not use {count(len(idle), 'parameter')}: {_from_to(idle)}."
        yield Finding("unused", "note", sentence, "none if this is meant", idle[0])


def frozen(case: Case) -> Iterator[Finding]:
    """Parameters that ask for no gradient."""
    names = case.recording.frozen
    if names:
        yield Finding(
            "frozen",
            "note",
            f"{count(len(names), 'parameter')} with requires_grad=False: {_from_to(names)}.",
            "none if this is meant, as in fine-tuning",
            names[0],
        )


def lost_at_loss(case: Case) -> Iterator[Finding]:
    """The gradient is lost between the loss and the last weights, by a saturated softmax or sigmoid."""
    recording = case.recording
    weights = [row for row in recording.of_kind("weight") if row.grad_result]
    if not weights or not recording.cost > SMALL_COST:
        return
    last = weights[-1]
    after = [row for row in recording.of_kind("activation", "attention") if row.order > last.order]
    lost = [row for row in after if row.lost_samples > LOST_SAMPLES or row.factor < LOST_AT_LOSS]
    if lost:
        worst = max(lost, key=lambda row: -inf if isnan(row.lost_samples) else row.lost_samples)
        size = f"; its inputs reach {decades(last.result.largest)}" if last.result else ""
        yield Finding(
            "lost at the loss",
            "fault",
            f"{worst.name} at the output passes {_passed(worst)}, while the cost is {recording.cost:.3g}{size}: the "
            "gradient is lost before it reaches any weights.",
            f"{lines(case).logits}, or make the last layer's weights smaller",
            worst.path,
        )
    elif last.grad_result and last.grad_result.norm == -inf:
        yield Finding(
            "lost at the loss",
            "fault",
            f"∂C/∂output is exactly 0 while the cost is {recording.cost:.3g}.",
            "look for clamp, argmax, rounding or a hinge in the loss",
            last.path,
        )


def _passed(row: Row) -> str:
    if row.lost_samples > LOST_SAMPLES:
        return f"under 1 % of the gradient of {percent(row.lost_samples)} of the samples that are still to be learned"
    return f"{decades(row.factor)} of the gradient"


def zero_weights(case: Case) -> Iterator[Finding]:
    """Weights that are all zeros, as of a head or a residual branch that starts as nothing: not dead."""
    recording = case.recording
    names = [row.param for row in recording.rows if row.weight and row.kind == "weight" and row.weight.norm == -inf]
    if names:
        yield Finding(
            "zero weights",
            "note",
            f"{count(len(names), 'weight tensor')} of zeros ({_from_to(names)}): no "
            "gradient passes below at this step, and it passes again after the first update.",
            "none if this is meant, as for a zero-initialised head or residual branch",
            names[0],
        )


def underflow(case: Case) -> Iterator[Finding]:
    """A gradient that is exactly 0 below an operation for no reason but the number format."""
    for row in reversed(case.recording.rows):
        arrived, passed = row.grad_result, row.grad_argument
        if not (arrived and passed and passed.norm == -inf < arrived.norm) or row.kind == "loss":
            continue
        if (row.weight and row.weight.norm == -inf) or (row.slopes and row.slopes.mean == 0):
            continue
        yield Finding(
            "underflow",
            "fault",
            f"The gradient becomes exactly 0 in {row.name}, in {passed.dtype}: at most {decades(arrived.largest)} "
            "reaches it.",
            "remedy the vanishing above it first; then a scaled loss, or a wider format",
            row.path,
        )
        return


def opaque(case: Case) -> Iterator[Finding]:
    """Operations whose inside the probe cannot see."""
    names = sorted(set(case.recording.opaque))
    if names:
        sentence = f"Not seen is the inside of {_from_to(names)}: at most one row stands for a whole call."
        yield Finding("opaque", "note", sentence, "none", names[0])


def float16_underflow(case: Case) -> Iterator[Finding]:
    """Entries that are 0 in this run and not in the same run in float32."""
    if case.in_float32 is None:
        return
    worse = []
    known = {(row.path, row.op, row.call): row for row in case.in_float32.rows}
    for row in case.recording.of_kind("weight", "activation", "attention"):
        other = known.get((row.path, row.op, row.call))
        if other and row.grad_argument and other.grad_argument:
            worse.append((_zeros(row) - _zeros(other), row))
    lossy = [(extra, row) for extra, row in worse if extra > 0.05]
    if lossy:
        extra, row = max(lossy, key=lambda pair: pair[0])
        dtype = row.grad_argument.dtype if row.grad_argument else ""
        yield Finding(
            "format underflow",
            "fault",
            f"In {row.name} {percent(extra)} of the gradient's entries are 0 in {dtype} and not in float32; "
            f"more than 5 % in {count(len(lossy), 'operation')}.",
            "scale the loss (torch.amp.GradScaler), or use bfloat16; see the finding on float16 for a scale",
            row.path,
        )


def _zeros(row: Row) -> float:
    size = row.grad_argument
    return size.zeros / max(size.entries, 1) if size else 0.0


def _from_to(names: list[str] | tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"


RULES = (
    non_finite_backward,
    detached,
    unused,
    frozen,
    lost_at_loss,
    zero_weights,
    underflow,
    float16_underflow,
    opaque,
)
