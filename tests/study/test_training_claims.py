"""Claims about training notice faults planted in the training loop; and the verdict on what is often said."""

from types import SimpleNamespace

import numpy as np
import pytest
from sweeps import ROOT

import harness
from harness.base.scaled import Scaled
from harness.engine.training import passes
from harness.engine.training.ledger import NormLedger
from harness.study.claims import (
    BY_CONSTRUCTION,
    FAILS,
    GOOD,
    HOLDS,
    REFUTED,
    UNDECIDED,
    Case,
    Claim,
    every,
    judge,
)
from harness.study.questions import load_question

CLAIMS = {claim.name: claim for claim in load_question("conservation", ROOT / "configs").claims}
SMALL = {
    "name": "small",
    "network": {"activation": ["relu", "tanh"], "init": "he_normal", "depth": 4, "width": 8, "output": "linear"},
    "data": {"inputs": "digits", "targets": "labels", "batch": 16},
    "cost": "cross_entropy",
    "replicates": 2,
    "figures": [],
    "training": {
        "optimiser": ["sgd", "momentum"],
        "learning_rate": 0.03,
        "clip": [None, 1.0],
        "batch": 8,
        "steps": 20,
        "split": {"train": 40, "validation": 20, "test": 30},
        "record": {"times": 3},
    },
}


def grades(folder):
    results = harness.sweep(SMALL, out=folder, workers=1)
    return {name: judge(claim, results).grade for name, claim in CLAIMS.items()}


def test_the_claims_of_conservation_hold(tmp_path):
    assert grades(tmp_path / "r") == {
        "conserved": BY_CONSTRUCTION,
        "not_by_other_optimisers": HOLDS,
        "not_by_other_activations": HOLDS,
        "ledger": BY_CONSTRUCTION,
    }


def gradient_off(monkeypatch):
    """The gradient of the layers of one width is a ten-thousandth too large."""
    right = passes.weight_gradient

    def wrong(r_below, delta):
        gradient = right(r_below, delta)
        return gradient * 1.0001 if gradient.mantissa.shape[-1] == 10 else gradient

    monkeypatch.setattr(passes, "weight_gradient", wrong)


def clipped_by_layer(monkeypatch):
    """Each layer's gradient is clipped by its own norm."""
    right = passes.as_rows

    def wrong(*parts):
        gradient = right(*parts)
        norm = 10.0 ** gradient.log10_norm[..., None, None]
        return Scaled(gradient.mantissa / np.maximum(norm, 0.5), gradient.exponent)

    monkeypatch.setattr(passes, "as_rows", wrong)


def biases_without_a_row(monkeypatch):
    """A bias gradient that leaves out one sample of the minibatch."""
    right = passes.bias_gradient
    monkeypatch.setattr(
        passes, "bias_gradient", lambda delta: right(Scaled(delta.mantissa[..., 1:, :], delta.exponent))
    )


def flow_off(monkeypatch):
    """A ledger whose flow is one per cent too large."""
    right = NormLedger.add

    def wrong(self, k, layer, update):
        before = self.flow[:, k].copy()
        right(self, k, layer, update)
        self.flow[:, k] = before + 1.01 * (self.flow[:, k] - before)

    monkeypatch.setattr(NormLedger, "add", wrong)


@pytest.mark.parametrize(
    ("plant", "noticed_by"),
    [
        (gradient_off, "conserved"),
        (clipped_by_layer, "conserved"),
        (biases_without_a_row, "conserved"),
        (flow_off, "ledger"),
    ],
)
def test_a_fault_in_the_loop_is_noticed(tmp_path, monkeypatch, plant, noticed_by):
    plant(monkeypatch)
    assert grades(tmp_path / "r")[noticed_by] == FAILS


@pytest.mark.parametrize(
    ("values", "grade", "often_said"), [([1.0, 2.0], HOLDS, UNDECIDED), ([-1.0, -2.0], FAILS, REFUTED)]
)
def test_what_is_often_said_must_fail(values, grade, often_said, monkeypatch):
    monkeypatch.setattr("harness.study.claims.Selected", lambda results, scope: SimpleNamespace(restrictions=()))

    def cases(results):
        yield Case("all", values, at_least=0)

    plain, told = (Claim("n", "s", "x", every, cases, often_said=said) for said in (False, True))
    assert judge(plain, None).grade == grade
    assert judge(told, None).grade == often_said
    assert (often_said in GOOD) == (grade == FAILS)
