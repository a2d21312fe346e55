"""Every claim about training notices an error planted in the tables. The sweeps take minutes: `make soak` runs them.

tests/study/test_training_claims.py plants errors in the training loop itself.
"""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from disturbed import SOAK
from sweeps import ROOT, Tables, copied

from harness.execution import driver
from harness.execution.dispatch import Resources
from harness.study.claims import GOOD, judge
from harness.study.questions import load_question
from harness.study.results import Results
from harness.study.sweep import prepare


@dataclass
class Trained(Tables):
    """Copies of all four tables; `times` multiplies the weights that `build` returns."""

    steps: pd.DataFrame
    step_layers: pd.DataFrame
    times: float = 1.0

    def build(self, network, step=None):
        built = super().build(network, step)
        weights, biases = ([self.times * part for part in parts] for parts in (built.weights, built.biases))
        return replace(built, weights=weights, biases=biases)


def tables_of(results):
    frames = SimpleNamespace(layers=results.steps, networks=results.step_layers)
    plain = copied(frames)  # text in place of categories
    networks = copied(results)
    return Trained(results, networks.layers, networks.networks, plain.layers, plain.networks)


def column(name, change, table="steps", rows=None):
    """Change a column by `change`, on the rows that `rows` selects."""

    def plant(t):
        frame = getattr(t, table)
        chosen = slice(None) if rows is None else rows(frame)
        frame.loc[chosen, name] = change(frame.loc[chosen, name])

    return plant


def swapped(one, other):
    """The steps of two activations are taken for each other's."""
    return column("activation", lambda values: values.replace({one: other, other: one}))


def accuracy(value):
    return column("accuracy_test", lambda values: np.full(len(values), value))


def better(activation, by):
    """An activation's test rows are right more often."""
    return column("accuracy_test", lambda values: values + by, rows=lambda frame: frame["activation"] == activation)


def first_moved(factor):
    return column("moved", lambda values: factor * values, "step_layers", lambda frame: frame["layer"] == 1)


def later(name, change, table="steps"):
    return column(name, change, table, lambda frame: frame["step"] == frame["step"].max())


def built_times(factor):
    def plant(t):
        t.times = factor

    return plant


PLANTED = {
    "first_layer": {
        "barely_moves": first_moved(1e15),
        "adam_frees_it": first_moved(1e-3),
        "its_epsilon_ends_that": first_moved(1e9),
        "moving_is_not_learning": accuracy(0.9),
    },
    "first_layer_float32": {
        "hardly_a_bit": column("moved", lambda values: values + 1e-7, "step_layers"),
        "not_one_bit": column("moved", lambda values: values + 1e-7, "step_layers"),
    },
    "deep_accuracy": {
        "relu_learns_where_sigmoid_cannot": swapped("relu", "sigmoid"),
        "relu_beats_tanh": swapped("tanh", "sigmoid"),
        "behind_tanh_at_first": swapped("tanh", "relu"),
    },
    "deep_accuracy_long": {"level_with_tanh": better("relu", 0.1)},
    "deep_accuracy_shallow": {"level_with_sigmoid_when_shallow": better("sigmoid", 0.1)},
    "deaths": {
        "stays_dead": column("revived", lambda values: values * 0, "step_layers"),
        "step_is_one_often_enough": column("slope_mean", lambda values: 0.4 * values, "step_layers"),
    },
    "birth_decides": {
        "lost_does_not_train": column("log10_cost_probe", lambda values: values - 1),
        "kept_trains": column("log10_cost_probe", lambda values: values + 1),
        "kept_trains_at_the_edge": column("log10_cost_probe", lambda values: values - 3),
    },
    "saturation": {
        "sigmoid_grows_weights": swapped("sigmoid", "relu"),
        "because_it_saturates": swapped("sigmoid", "centred_sigmoid"),
    },
    "saturation_ceiling": {
        "ceiling_grows_weights": swapped("relu", "clipped_relu"),
        "a_higher_ceiling_grows_less": swapped("clipped_relu(ceiling=3)", "clipped_relu"),
    },
    "he_against_xavier": {"he_learns": accuracy(0.1), "he_is_ahead": accuracy(0.5), "xavier_stalls": accuracy(0.5)},
    "remedies_trained": {
        "skips_make_relu_learn": accuracy(0.2),
        "relu_alone": accuracy(0.9),
        "fixup_makes_relu_learn": accuracy(0.2),
        "lsuv_leaves_relu": accuracy(0.9),
        "batch_normalisation_frees_relu": accuracy(0.9),
    },
    "remedies_trained_sigmoid": {
        "skips_make_sigmoid_learn": accuracy(0.2),
        "sigmoid_alone": accuracy(0.9),
        "batch_normalisation_frees_sigmoid": accuracy(0.2),
        "layer_normalisation_leaves_sigmoid": accuracy(0.9),
        "lsuv_leaves_sigmoid": accuracy(0.9),
        "lsuv_of_standardised_weights_frees_sigmoid": accuracy(0.2),
    },
    "top_layer": {
        "falls": column("mean_outputs", lambda values: values + 0.2, "step_layers"),
        "escapes": column("mean_outputs", lambda values: 0 * values, "step_layers"),
        "then_learns": accuracy(0.1),
        "does_not_escape": later("mean_outputs", lambda values: values + 0.3, "step_layers"),
    },
    "large_weights": {
        "inward_for_relu": column("norm_flow", lambda values: -values, "step_layers"),
        "relu_grows_all_the_same": column("norm_step", lambda values: 10 * values, "step_layers"),
        "outward_for_saturating": column("norm_flow", lambda values: -values, "step_layers"),
        "relu_diverges": column("log10_norm_weights", lambda values: 0 * values.fillna(0)),
        "sigmoid_does_not": later("log10_norm_weights", lambda values: values + 5),
    },
    "large_weights_fitted": {
        "doubled_fitted": built_times(0.0),  # twice nothing costs the same
        "outward_when_fitted": column("norm_flow", lambda values: -values, "step_layers"),
    },
    "large_weights_squared": {"doubled_squared": built_times(0.5)},  # twice these is the trained network
}


IN_THE_LOOP = {"conservation", "first_steps"}  # errors are planted in the training loop


def trained_sweeps():
    """The question of every shipped sweep that trains."""
    names = sorted(path.stem for path in (ROOT / "experiments").glob("*.py"))
    questions = (load_question(name, ROOT / "configs") for name in names)
    found = {sweep: question for question in questions for sweep in question.sweeps}
    return {
        sweep: question
        for sweep, question in found.items()
        if "\ntraining:" in (ROOT / f"configs/{sweep}.yaml").read_text()
    }


def test_every_claim_about_training_has_an_error_planted():
    sweeps = trained_sweeps()
    assert set(sweeps) - IN_THE_LOOP == set(PLANTED)
    for sweep in PLANTED:
        assert {claim.name for claim in sweeps[sweep].claims_of(sweep)} == set(PLANTED[sweep])


@pytest.mark.slow
@pytest.mark.skipif(not SOAK, reason="minutes; under make soak")
@pytest.mark.parametrize("sweep", PLANTED)
def test_claims_about_training_hold_and_notice(sweep, tmp_path):
    question = trained_sweeps()[sweep]
    prepared = prepare(ROOT / f"configs/{sweep}.yaml", question.sweeps[sweep], out=tmp_path / sweep).prepared
    driver.execute(prepared, Resources(2))
    results = Results(prepared.folder)
    for claim in question.claims_of(sweep):
        assert judge(claim, tables_of(results)).grade in GOOD, claim.name
        tables = tables_of(results)
        PLANTED[sweep][claim.name](tables)
        assert judge(claim, tables).grade not in GOOD, claim.name
