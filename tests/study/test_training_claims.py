"""Claims about training notice faults planted in the training loop; and the verdict on what is often said."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sweeps import ROOT

from harness.base.scaled import Scaled
from harness.engine.training.ledger import NormLedger
from harness.engine.training.plain import Plain
from harness.execution import driver
from harness.execution.dispatch import Resources
from harness.networks.training.optimisers import OPTIMISERS
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
from harness.study.results import Results
from harness.study.sweep import prepare

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


CONFIGS = {"conservation": SMALL, "first_steps": ROOT / "configs/first_steps.yaml"}


def grades(question, folder):
    prepared = prepare(CONFIGS[question], ("replicates=2",), out=folder).prepared
    driver.execute(prepared, Resources(1))
    results = Results(prepared.folder)
    return {claim.name: judge(claim, results).grade for claim in load_question(question, ROOT / "configs").claims}


def test_an_optimiser_takes_the_steps_of_its_formula(tmp_path):
    assert grades("first_steps", tmp_path / "r") == dict.fromkeys(("sgd", "momentum", "adam"), BY_CONSTRUCTION)


def test_the_claims_of_conservation_hold(tmp_path):
    assert grades("conservation", tmp_path / "r") == {
        "conserved": BY_CONSTRUCTION,
        "conserved_by_unit": BY_CONSTRUCTION,
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


def wrong_optimiser(name, change):
    """`change` makes the wrong `update` from the right one."""

    def plant(monkeypatch):
        right = OPTIMISERS[name]

        def wrong(**parameters):
            optimiser = right(**parameters)
            return replace(optimiser, update=change(optimiser.update))

        monkeypatch.setitem(OPTIMISERS, name, wrong)

    return plant


def too_fast(update):
    """A learning rate that is one per cent too large."""
    return lambda moments, gradient, step: update(moments, gradient, step) * 1.01


def minus(update):
    """Momentum with the wrong sign."""

    def wrong(moments, gradient, step):
        np.negative(moments[0], out=moments[0])
        return update(moments, gradient, step)

    return wrong


def biased(update):
    """Adam without its bias correction, as after very many steps."""
    return lambda moments, gradient, step: update(moments, gradient, 10**9)


@pytest.mark.parametrize(
    ("plant", "question", "noticed_by"),
    [
        (gradient_off, "conservation", "conserved"),
        (gradient_off, "conservation", "conserved_by_unit"),
        (clipped_by_layer, "conservation", "conserved"),
        (biases_without_a_row, "conservation", "conserved"),
        (flow_off, "conservation", "ledger"),
        (clipped_by_layer, "first_steps", "sgd"),
        *((wrong_optimiser(name, too_fast), "first_steps", name) for name in OPTIMISERS),
        (wrong_optimiser("momentum", minus), "first_steps", "momentum"),
        (wrong_optimiser("adam", biased), "first_steps", "adam"),
    ],
)
def test_a_fault_in_the_loop_is_noticed(tmp_path, monkeypatch, plant, question, noticed_by):
    plant(monkeypatch)
    assert grades(question, tmp_path / "r")[noticed_by] == FAILS


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
