"""Problems of remedies with the shapes of networks: skips that do not fit, normalisations that pass no gradient."""

from collections.abc import Iterator, Sequence

from harness.base.messages import Path, Problem
from harness.config import axes
from harness.config.grid import WIDTHS, Case, has_widths
from harness.networks.inits import INITS
from harness.networks.remedies.normalisations import NORMALISATIONS, Normalisation
from harness.networks.remedies.standardised import LEAST


def blocked(cases: Sequence[Case], batch: int) -> Iterator[Problem]:
    """Problems of skips between layers of different widths, and of normalisations that let no gradient pass."""
    for case in cases:
        key, hidden = _hidden_widths(case)
        skips = [name for name, _ in axes.values(case.axes["residual"]) if name != "none"]
        if skips and any(len(set(widths)) > 1 for widths in hidden):
            text = f"residual: {skips[0]} adds layers up, so hidden layers must have one width; remove one of them"
            yield Problem(key, text, reads=(case.paths["residual"],))
        if "fixup" in skips and any(INITS[name]().within is not None for name, _ in axes.values(case.axes["init"])):
            text = "lsuv scales the weights that residual: fixup scales by a rule; remove one of them"
            yield Problem(case.paths["init"], text, reads=(case.paths["residual"],))
        for name, _ in axes.values(case.axes["normalisation"]):
            yield from _too_few(case, NORMALISATIONS[name](), key, hidden, batch)
        if True in axes.values(case.axes["tied"]):
            yield from _untied(case)
        if True in axes.values(case.axes["weight_standardised"]):
            yield from _not_standardised(case)


def _untied(case: Case) -> Iterator[Problem]:
    """A problem of tied weights that each layer would scale by a number of its own."""
    for name in (name for name, _ in axes.values(case.axes["init"]) if INITS[name]().within is not None):
        text = f"{name} scales every layer by itself, which unties them; remove it, or tied"
        yield Problem(case.paths["init"], text, reads=(case.paths["tied"],))


def _not_standardised(case: Case) -> Iterator[Problem]:
    """Problems of weights that cannot be standardised: all alike, or so few to a unit that no gradient passes."""
    reads = (case.paths["weight_standardised"],)
    for name in (name for name, _ in axes.values(case.axes["init"]) if name == "constant"):
        yield Problem(case.paths["init"], f"{name} weights have no variance to be standardised by", reads=reads)
    if has_widths(case.axes):
        fans = {WIDTHS: [fan_in for shape in axes.values(case.axes[WIDTHS]) if shape for fan_in in shape[:-1]]}
    else:
        fans = {name: [n for n in axes.values(case.axes[name]) if n] for name in ("width", "input_width")}
    for key, sizes in fans.items():
        if min(sizes, default=LEAST) < LEAST:
            text = (
                f"{min(sizes)} weights to a unit are too few for weight_standardised, which lets no gradient pass: any "
                f"two become ±1; use {LEAST} or more"
            )
            yield Problem(case.paths[key], text, reads=reads)


def _too_few(
    case: Case, normalisation: Normalisation, key: Path, hidden: Sequence[Sequence[int]], batch: int
) -> Iterator[Problem]:
    by_batch = normalisation.over == "batch"
    sizes = [batch] if by_batch else [width for widths in hidden for width in widths]
    if normalisation.over is None or min(sizes, default=normalisation.least) >= normalisation.least:
        return
    place, where = ("samples", ("data", "batch")) if by_batch else ("units", key)
    values = "any two values become ±1" if normalisation.centred else "any one value becomes ±1"
    text = (
        f"{min(sizes)} is too few {place} for normalisation: {normalisation.name}, which lets no gradient pass: "
        f"{values}; use {normalisation.least} or more"
    )
    yield Problem(where, text, reads=(case.paths["normalisation"],))


def _hidden_widths(case: Case) -> tuple[Path, list[tuple[int, ...]]]:
    """The place where a case gives its widths, and those of the hidden layers of each shape."""
    if has_widths(case.axes):
        return case.paths[WIDTHS], [tuple(shape[1:-1]) for shape in axes.values(case.axes[WIDTHS]) if shape]
    return case.paths["width"], [(width,) for width in axes.values(case.axes["width"])]
