"""All rules on a recording, and how sure they are from parts of the batch."""

from collections.abc import Sequence

from harness.base.errors import ConfigError
from harness.base.messages import remedy, shown
from harness.execution.probe.record import Recording
from harness.study.probe.findings import Case, Finding, with_confidence
from harness.study.probe.ledger import ledger
from harness.study.probe.rules import flow, formats, graph, units

RULES = (*graph.RULES, *units.RULES, *flow.RULES, *formats.RULES)
KINDS = (
    *("non-finite forward", "non-finite backward", "detached", "unused", "frozen", "lost at the loss", "zero weights"),
    *("underflow", "format underflow", "opaque", "dead layer", "dying units", "silent but healthy", "inputs too large"),
    *("inputs forgotten", "vanishing over time", "exploding over time", "vanishing by slopes", "vanishing by weights"),
    *("vanishing by norms", "vanishing inside blocks", "exploding by weights", "exploding by norms"),
    *("exploding inside blocks", "healthy", "scale of weights", "float16 underflow foretold"),
    *("bfloat16 underflow foretold", "under Adam's eps"),
)
EXPLAINS = {  # a finding -> kinds that it explains and that are then left out
    "dead layer": ("underflow", "vanishing by slopes", "vanishing by weights", "vanishing inside blocks", "healthy"),
    "zero weights": ("vanishing by slopes", "vanishing by weights", "vanishing inside blocks"),
    "detached": ("vanishing by slopes", "vanishing by weights", "vanishing inside blocks", "healthy"),
}


def judge(recording: Recording, parts: Sequence[Recording] = (), in_float32: Recording | None = None) -> list[Finding]:
    """The findings on a recording, gravest first. `parts` are recordings of parts of its batch."""
    of_parts = [findings(part) for part in parts]
    attenuations = [ledger(part).attenuation for part in parts]
    return with_confidence(findings(recording, in_float32), of_parts, attenuations)


def findings(recording: Recording, in_float32: Recording | None = None) -> list[Finding]:
    """What the rules find. Where the forward pass is not finite, gradients mean nothing and no other rule is asked."""
    case = Case(recording, ledger(recording), in_float32)
    if broken := list(graph.non_finite_forward(case)):
        return broken
    found = [finding for rule in RULES for finding in rule(case)]
    left_out = {kind for finding in found for kind in EXPLAINS.get(finding.kind, ())}
    zero_below = any(finding.kind == "zero weights" for finding in found) and case.ledger.attenuation > float("-inf")
    if zero_below:  # a zero branch beside a skip does not explain what the trunk does
        left_out -= set(EXPLAINS["zero weights"])
    return [finding for finding in found if finding.kind not in left_out]


def kinds_matching(asked: str) -> list[str]:
    """The kinds of findings that are or begin with a word. Raises ConfigError where there are none."""
    found = [kind for kind in KINDS if kind == asked or kind.startswith(f"{asked} ")]
    if not found:
        raise ConfigError(f"there is no kind of finding {shown(asked)}; {remedy(asked, KINDS)}")
    return found
