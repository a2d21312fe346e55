"""Rules on the attenuation along the trunk: vanishing and exploding, and whose fault it is."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from math import inf, isfinite, log10
from statistics import fmean

from harness.base.errors import DomainError
from harness.execution.probe.record import Recording, Row
from harness.networks.activations import ACTIVATIONS
from harness.study.probe.findings import DECADES, Case, Finding, percent
from harness.study.probe.ledger import Ledger
from harness.study.probe.rules.lines import Lines, lines
from harness.theory import critical_sigma_w

STEEP = -0.45  # mean decades of an activation; ReLU's best is about −0.15, the sigmoid's −0.60
OFF_SCALE = 0.05  # decades of σ_w from the critical one that are worth a word
NAMES = {"hardtanh": "hard_tanh"} | {name: name for name in ACTIVATIONS if name != "hard_tanh"}
STRUCTURE = "put a normalisation before each activation, or skip connections around pairs of layers"
NO_SIGMOIDS = "replace sigmoids between layers by ReLU, with "


@cache
def critical(op: str) -> float | None:
    """σ_w at which gradients keep their size in a deep chain of that activation without biases; None for none.

    SELU is meant for σ_w = 1, where its outputs keep a variance of 1 (Klambauer et al. 2017) and χ₁ is 1.07.
    """
    if op == "selu":
        return 1.0
    try:
        return critical_sigma_w(ACTIVATIONS[NAMES[op]](), 0.0) if op in NAMES else None
    except DomainError:
        return None


@dataclass(frozen=True)
class Scale:
    """The weights of a chain beside theory: the usual activation after them, its critical σ_w, and theirs."""

    activation: str
    critical: float | None
    sigma_w: float

    @property
    def off_by(self) -> float:
        """log10 of σ_w over the critical one; 0 where there is none."""
        return log10(self.sigma_w / self.critical) if self.critical and self.sigma_w > 0 else 0.0

    @property
    def in_words(self) -> str:
        name = self.activation or "a linear chain"
        beside = f"{name} needs {self.critical:.3g}" if self.critical else f"no σ_w keeps gradients for {name}"
        return f"the weights have σ_w = {self.sigma_w:.3g}, and {beside}"

    def remedy(self, lines: Lines) -> str:
        """The line that sets the critical scale, or what to do where there is none."""
        if self.activation == "sigmoid":
            return NO_SIGMOIDS + lines.init("relu", 2**0.5)
        return STRUCTURE if self.critical is None else lines.init(self.activation, self.critical)


def scale_of(recording: Recording, ledger: Ledger) -> Scale:
    """The weights that an activation follows, and the activation that most of them have; in a tower, its own."""
    rows = ledger.path if ledger.is_tower else recording.rows
    pairs: list[tuple[str, float]] = []
    sigma_w: float | None = None
    for row in rows:
        if row.kind == "activation" and sigma_w is not None:
            pairs.append((row.op, sigma_w))
        if row.kind in ("weight", "activation", "attention", "recurrent"):
            sigma_w = row.sigma_w if row.kind == "weight" else None
    usual = Counter(op for op, _ in pairs).most_common(1)
    op = usual[0][0] if usual else ""
    sigmas = [sigma for name, sigma in pairs if name == op] or [row.sigma_w for row in rows if row.kind == "weight"]
    return Scale(op, critical(op) if op else 1.0, fmean(sigmas) if sigmas else 0.0)


def attenuation(case: Case) -> Iterator[Finding]:
    """Vanishing, exploding or healthy along the trunk."""
    ledger = case.ledger
    value = ledger.attenuation
    if not (isfinite(value) or value == -inf):
        return
    if value < -DECADES:
        kind, why, remedy = _vanishing(case)
        how = f"loses {-value:.1f} decades"
    elif value > DECADES:
        kind, why, remedy = _exploding(case)
        how = f"grows by {value:.1f} decades"
    else:
        sentence = f"The gradient keeps its size within {abs(value):.1f} decades over {ledger.layers} weight layers."
        yield Finding("healthy", "note", sentence, margin=DECADES - abs(value))
        return
    sentence = (
        f"The gradient {how} from {ledger.last} down to {ledger.first}, {ledger.per_layer:+.3f} a layer"
        f"{_shares(case)}: {why}."
    )
    yield Finding(kind, "fault", sentence, remedy, ledger.first, abs(value) - DECADES)


def _shares(case: Case) -> str:
    ledger = case.ledger
    if not isfinite(ledger.attenuation):
        return ""
    words = {"activation": "slopes", "weight": "weights", "norm": "norms", "recurrent": "recurrence"}
    parts = [f"{words[kind]} {value:+.1f}" for kind, value in ledger.parts.items() if kind in words]
    if abs(ledger.rest) > 0.05:
        parts.append(f"blocks and the rest {ledger.rest:+.1f}")
    return f" ({', '.join(parts)})" if parts else ""


def _vanishing(case: Case) -> tuple[str, str, str]:
    """Kind, reason and remedy."""
    ledger, scale = case.ledger, scale_of(case.recording, case.ledger)
    slopes = ledger.means.get("activation", 0.0)
    if ledger.is_chain and ledger.parts.get("norm", 0.0) < min(-DECADES, ledger.parts.get("activation", 0.0)):
        return "vanishing by norms", "the norms divide by large standard deviations", "smaller weights before the norms"
    if slopes < STEEP:
        saturated = _saturated(ledger.path)
        best = "; 10^-0.60 is its largest slope" if scale.activation == "sigmoid" else ""
        worn = f"; {percent(saturated)} of its slopes are saturated" if saturated > 0.2 else ""
        why = f"{scale.activation or 'the activation'} passes 10^{slopes:.2f} a layer{best}{worn}"
        return "vanishing by slopes", why, scale.remedy(lines(case))
    if not (ledger.is_chain or ledger.is_tower):
        return "vanishing inside blocks", "blocks take more from the gradient than their skips pass on", STRUCTURE
    return "vanishing by weights", scale.in_words, scale.remedy(lines(case))


def _exploding(case: Case) -> tuple[str, str, str]:
    """Kind, reason and remedy."""
    ledger, scale = case.ledger, scale_of(case.recording, case.ledger)
    if ledger.is_chain and "norm" in ledger.parts:  # the scale of weights cancels in the norm after them
        why = "each norm multiplies it; batch norm with ReLU by about 0.08 decades (Yang et al. 2019)"
        return "exploding by norms", why, "skip connections around each pair of layers, fewer layers, or layer norm"
    if not (ledger.is_chain or ledger.is_tower):
        why = "each block adds its branch to the skip, and nothing divides"
        zero = lines(case).zero_branch
        remedy = f"{zero}, multiply branches by depth ** -0.5, or begin each branch with a norm"
        return "exploding inside blocks", why, remedy
    saturated = _saturated(ledger.path)
    worn = f"; {percent(saturated)} of the slopes are saturated on top" if saturated > 0.2 else ""
    return "exploding by weights", scale.in_words + worn, scale.remedy(lines(case))


def _saturated(rows: Iterable[Row]) -> float:
    """Mean share of saturated slopes of activations that have no slope of exactly 0."""
    shares = [row.slopes.saturated for row in rows if row.slopes and row.op != "relu"]
    return fmean(shares) if shares else 0.0


def scale_is_off(case: Case) -> Iterator[Finding]:
    """A σ_w that is harmless at this depth and would not be at a larger one."""
    ledger, scale = case.ledger, scale_of(case.recording, case.ledger)
    chain = ledger.is_chain and not {"norm", "recurrent"} & ledger.parts.keys()
    if (
        not chain
        or scale.activation in ("", "sigmoid")
        or abs(scale.off_by) < OFF_SCALE
        or not abs(ledger.attenuation) <= DECADES
    ):
        return
    layers = DECADES / abs(ledger.per_layer) if ledger.per_layer else inf
    if layers < 1000:
        harmless = f"harmless at {ledger.layers} layers, 3 decades at about {layers:.0f}"
        sentence = f"{scale.in_words[0].upper()}{scale.in_words[1:]}: {harmless}."
        yield Finding("scale of weights", "note", sentence, scale.remedy(lines(case)))


RULES = (attenuation, scale_is_off)
