"""Claims about training notice faults planted in the training loop; and the verdict on what is often said."""

from types import SimpleNamespace

import numpy as np
import pytest
from sweeps import ROOT

import harness
from harness.base.scaled import Scaled
from harness.engine.training.ledger import NormLedger
from harness.engine.training.plain import Plain
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


def changed(monkeypatch, change):
    """The gradients of the backward pass, each changed in place as it is found: (runs, 1, rows, fan_out)."""
    right = Plain._backward

    def wrong(*arguments):
        for gradient in right(*arguments):
            change(gradient.mantissa)
            yield Scaled(gradient.mantissa, gradient.exponent)

    monkeypatch.setattr(Plain, "_backward", wrong)


def gradient_off(monkeypatch):
    """The gradient of the layers of one width is a ten-thousandth too large."""

    def change(rows):
        rows[..., :-1, :] *= 1.0001 if rows.shape[-1] == 10 else 1

    changed(monkeypatch, change)


def clipped_by_layer(monkeypatch):
    """Each layer's gradient is clipped by its own norm."""

    def change(rows):
        rows /= np.maximum(np.linalg.norm(rows, axis=(-2, -1), keepdims=True), 0.5)

    changed(monkeypatch, change)


def biases_without_a_row(monkeypatch):
    """A bias gradient that leaves out one sample of a minibatch of eight, as far as samples are alike."""

    def change(rows):
        rows[..., -1, :] *= 7 / 8

    changed(monkeypatch, change)


def flow_off(monkeypatch):
    """A ledger whose flow is one per cent too large."""
    right = NormLedger.add_step

    def wrong(self):
        before = self.flow.copy()
        norms = right(self)
        self.flow = before + 1.01 * (self.flow - before)
        return norms

    monkeypatch.setattr(NormLedger, "add_step", wrong)


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
