"""Rules on recordings written by hand: each finding's numbers, and the ledger that telescopes. Needs no PyTorch."""

from math import inf

import numpy as np
import pytest

from harness.execution.probe.record import BINS, LOWEST, Recording, Row, Size, Slopes
from harness.execution.probe.tables import by_layer, layers_frame
from harness.study.probe.findings import Finding, with_confidence
from harness.study.probe.judge import KINDS, judge
from harness.study.probe.ledger import ledger
from harness.study.probe.rules.flow import critical
from harness.study.probe.rules.formats import loss_scale


def size(norm, entries=100, exponent=None):
    counts = np.zeros(BINS, dtype=int)
    if exponent is not None:
        counts[exponent - LOWEST] = entries
    return Size(norm, norm, entries, 0, "float32", counts)


def chain(depth, activation, weight, sigma_w=0.5, slopes=None, exponent=0):
    """A chain of layers whose activations and weights have constant factors, from an output gradient of 10^0."""
    rows, gradient = [], 0.0
    for layer in range(depth, 0, -1):
        if layer < depth:
            row = Row(f"a{layer}", "relu", "activation", on_trunk=True, has_graph=True)
            row.grad_result, row.slopes = size(gradient), slopes or Slopes(0.5, 0.7, 0.0, 0.0, 0.5)
            gradient += activation
            row.grad_argument = size(gradient, exponent=exponent)
            rows.insert(0, row)
        row = Row(f"w{layer}", "linear", "weight", on_trunk=True, has_graph=True, sigma_w=sigma_w, param=f"w{layer}")
        row.grad_result, row.weight, row.argument = size(gradient), size(0.0), size(0.0)
        gradient += weight
        row.grad_argument = size(gradient, exponent=exponent)
        rows.insert(0, row)
    recording = Recording(rows=rows, cost=1.0)
    recording.number()
    return recording


def kinds(recording, **options):
    return [finding.kind for finding in judge(recording, **options)]


def test_the_ledger_of_a_chain_adds_up():
    one = ledger(chain(11, -0.25, -0.125))
    assert one.attenuation == -3.75  # weight factors 2 … L and activation factors 1 … L−1
    assert (one.depth, one.is_chain, one.rest) == (11, True, 0.0)
    assert one.parts == {"activation": -2.5, "weight": -1.25}
    assert (one.first, one.last) == ("w1 (linear)", "w11 (linear)")


@pytest.mark.parametrize(
    ("activation", "weight", "kind"),
    [
        (-0.15, 0.15, "healthy"),
        (-0.62, 0.1, "vanishing by slopes"),
        (-0.15, -0.2, "vanishing by weights"),
        (-0.15, 0.5, "exploding by weights"),
    ],
)
def test_whose_fault_it_is(activation, weight, kind):
    assert kind in kinds(chain(21, activation, weight))


def test_beside_a_norm_weights_are_not_at_fault():
    recording = chain(21, -0.15, 0.4)
    for layer in range(20, 0, -1):
        row = Row(f"n{layer}", "batch_norm", "norm", on_trunk=True, has_graph=True)
        row.grad_result = row.grad_argument = size(0.0)
        recording.rows.insert(2 * layer - 1, row)
    recording.number()
    assert "exploding by norms" in kinds(recording) and "exploding by weights" not in kinds(recording)


def test_a_layer_without_slopes_is_dead_and_explains_what_is_below():
    recording = chain(5, -0.15, 0.15)
    recording.rows[3].slopes = Slopes(0.0, 0.0, 1.0, 0.0, 1.0)
    for row in recording.rows[:4]:
        row.grad_argument = size(-inf)
    assert kinds(recording)[0] == "dead layer"
    assert not any("vanishing" in kind or kind == "underflow" for kind in kinds(recording))


def test_silent_units_with_half_of_the_slopes_on_are_no_fault():
    found = judge(chain(5, -0.15, 0.15, slopes=Slopes(0.5, 0.7, 0.45, 0.3, 0.5)))
    assert "silent but healthy" in [one.kind for one in found]
    assert not [one for one in found if one.severity == "fault"]
    found = judge(chain(5, -0.15, 0.15, slopes=Slopes(0.05, 0.2, 0.6, 0.0, 0.9)))
    assert "dying units" in [one.kind for one in found]


def test_a_softmax_that_loses_a_third_of_the_samples():
    for lost, factor, named in ((0.4, -1.0, True), (0.2, -1.0, False), (0.2, -2.5, True)):
        recording = chain(3, -0.15, 0.15)
        row = Row("top", "softmax", "attention", on_trunk=True, has_graph=True, lost_samples=lost)
        row.grad_result, row.grad_argument = size(0.0), size(factor)
        recording.rows.append(row)
        recording.number()
        assert ("lost at the loss" in kinds(recording)) is named


def test_what_float16_loses_and_the_scale_that_avoids_it():
    recording = chain(3, 0.0, 0.0, exponent=-26)  # magnitudes in [2^-27, 2^-26), under half of float16's least, 2^-24
    row = recording.rows[0]
    assert row.grad_argument.share_below(-25) == 1.0
    assert row.grad_argument.share_below(-27) == 0.0
    assert loss_scale(recording) == 15  # the largest magnitude is 10^0
    (found,) = (one for one in judge(recording) if one.kind == "float16 underflow foretold")
    assert "torch.amp.GradScaler(init_scale=2.0**15): then 0 % at worst" in found.remedy


def test_confidence_from_parts_of_the_batch():
    one = Finding("vanishing by weights", "fault", "", margin=2.0)
    other = Finding("dead layer", "fault", "")
    sure, all_parts = with_confidence([one, other], [[other]] * 3, [-5.0, -5.1, -4.9])
    assert (sure.confidence, all_parts.confidence) == ("sure", "sure")
    likely, one_part = with_confidence([one, other], [[other], [], []], [-5.0, -5.9, -4.1])
    assert (likely.confidence, one_part.confidence) == ("likely", "on the edge")
    assert with_confidence([one], [[], [], []], [-5.0, -8.0, -2.0])[0].confidence == "on the edge"
    assert with_confidence([one], [], [])[0].confidence == "one batch"


def test_theory_has_a_critical_scale_only_where_it_holds():
    assert critical("relu") == pytest.approx(2**0.5)
    assert critical("tanh") == pytest.approx(1)
    assert critical("leaky_relu", 0.5) == pytest.approx((2 / (1 + 0.5**2)) ** 0.5)  # He et al. 2015, eq. 15
    assert critical("leaky_relu") == critical("leaky_relu", 0.01) and critical("leaky_relu", 0.0) is None
    assert critical("sigmoid") == pytest.approx(10.1493, abs=1e-4)
    assert critical("gelu") is None and critical("silu") is None and critical("Swish") is None


def test_rows_of_a_layer_join_as_in_a_sweep():
    frame = by_layer(layers_frame([chain(3, -0.25, 0.125)], "m"))
    assert list(frame["layer"]) == [1, 2, 3]
    assert list(frame["log10_activation_factor"][:2]) == [-0.25, -0.25]
    assert list(frame["log10_weight_factor"]) == [0.125] * 3


def test_every_kind_is_listed():
    """A finding that --fail-on could not name would be a mistake."""
    from pathlib import Path
    from re import findall

    folder = Path(judge.__code__.co_filename).parent / "rules"
    source = "".join((folder / f"{name}.py").read_text() for name in ("graph", "units", "flow", "formats"))
    named = findall(r'(?:yield Finding\(\s*|return )f?"([a-zA-Z{][^"]*)",', source)
    expanded = {one.replace("{name}", name) for one in named for name in ("float16", "bfloat16")}
    assert len(expanded) > 20
    assert expanded <= set(KINDS), expanded - set(KINDS)
