"""What a rule says of a recording, and how sure it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from statistics import pstdev
from typing import Literal

from harness.execution.probe.record import Recording
from harness.study.probe.ledger import Ledger

DECADES = 3.0  # an attenuation beyond ± that is called vanishing or exploding, as in a sweep
SURE_DECADES, SURE_SPREADS, LIKELY_SPREADS = 1.0, 4.0, 2.0

Severity = Literal["fault", "warning", "note"]
Confidence = Literal["sure", "likely", "on the edge", "one batch"]
ORDER: tuple[Severity, ...] = ("fault", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """A verdict: its kind, a sentence with the numbers, the line to change, and where.

    `margin` is the distance from the threshold in decades, for findings that rest on the attenuation.
    """

    kind: str
    severity: Severity
    sentence: str
    remedy: str = ""
    place: str = ""
    margin: float | None = None
    confidence: Confidence = "one batch"


@dataclass(frozen=True)
class Case:
    """What rules look at: a recording, its ledger, and the same batch in float32 where this one ran in less."""

    recording: Recording
    ledger: Ledger
    in_float32: Recording | None = None


def with_confidence(
    found: Sequence[Finding], of_parts: Sequence[Sequence[Finding]], attenuations: Iterable[float]
) -> list[Finding]:
    """The findings with how sure they are, from the parts of the batch, gravest first.

    A finding about the attenuation is sure where it is beyond its threshold by 1 decade and 4 spreads over the parts,
    likely by 2 spreads. Any other is sure if every part has it, likely if most have.
    """
    finite = [value for value in attenuations if isfinite(value)]
    spread = pstdev(finite) if len(finite) > 1 else None
    rated = [replace(one, confidence=_confidence(one, of_parts, spread)) for one in found]
    return sorted(rated, key=lambda one: ORDER.index(one.severity))


def _confidence(one: Finding, of_parts: Sequence[Sequence[Finding]], spread: float | None) -> Confidence:
    if not of_parts:
        return "one batch"
    if one.margin is not None and spread is not None:
        if one.margin > max(SURE_DECADES, SURE_SPREADS * spread):
            return "sure"
        return "likely" if one.margin > LIKELY_SPREADS * spread else "on the edge"
    share = sum(any(other.kind == one.kind for other in part) for part in of_parts) / len(of_parts)
    return "sure" if share == 1 else "likely" if share > 0.5 else "on the edge"


def decades(value: float) -> str:
    """`10^-3.2`."""
    return f"10^{value:.1f}"


def count(number: int, word: str) -> str:
    """`1 layer`, `3 layers`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"
