"""A claim judges only the networks it is about: the experiments' configs, changed as a user may change them."""

import pytest
from sweeps import ROOT

from harness.execution import driver
from harness.execution.dispatch import Resources
from harness.study.claims import FAILS, GOOD, HOLDS, UNDECIDED, judge
from harness.study.results import Results
from harness.study.sweep import prepare

NARROW_STEP = "cases=[{width: 3, depth: 32}]"

# sweep, overrides: claim -> the grade, and for what is undecided the condition that no network meets
CHANGED = [
    (
        "single_neuron",
        ["cost=linear", "replicates=50"],
        {"closed_form": "cost == 'squared'", "quarter": HOLDS, "all_or_nothing": HOLDS},
    ),
    (
        "single_neuron",
        ["network.depth=3", "replicates=50"],
        {"closed_form": "depth == 1", "half_learn_nothing": "depth == 1"},
    ),
    ("single_neuron", ["network.activation=[tanh, relu]", "replicates=50"], {"closed_form": HOLDS}),
    (
        "step_at_zero",
        ["network.bias_scale=1", "replicates=50", NARROW_STEP],
        {"nothing_learnt": "bias_scale == 0", "dead_count": "bias_scale == 0"},
    ),
    (
        "step_at_zero",
        ["network.output=linear", "replicates=50", NARROW_STEP],
        {"nothing_learnt": HOLDS, "bias_gradients": "output == 'activation'", "naive_count": "output == 'activation'"},
    ),
    (
        "step_at_zero",
        ["network.init=[he_normal, orthogonal]", "replicates=50", NARROW_STEP],
        {"weight_gradients": HOLDS, "halved": HOLDS},
    ),
    (
        "depth",
        ["network.output=linear", "network.depth=[1, 8]", "network.width=32", "replicates=4"],
        {"quarter": HOLDS, "step_never_amplifies": HOLDS, "ledger_balances": HOLDS, "sigmoid_slope": "depth >= 128"},
    ),
    (
        "depth",
        ["network.width=4", "network.depth=30", "data.batch=1", "replicates=8"],  # most are dead
        {"ledger_balances": HOLDS, "step_never_amplifies": HOLDS, "step_is_half": "depth >= 128"},
    ),
    ("depth", ["dtype=float32", "network.depth=[1, 8]", "network.width=32", "replicates=4"], {"quarter": HOLDS}),
    (
        "weight_scale",
        ["network.weight_scale=[0.5, 2]", "network.depth=[3, 40]", "replicates=4"],
        {"small_weights_vanish": "sigma_w < 0.26", "large_weights_explode": "sigma_w > 15.9"},
    ),
    (  # at 1000 a gradient vanishes again
        "weight_scale",
        ["network.weight_scale=[16, 1000]", "network.depth=101", "network.activation=tanh"],
        {"large_weights_explode": HOLDS},
    ),
    (
        "weight_scale",
        ["network.weight_scale=1000", "network.depth=101", "network.activation=tanh", "replicates=4"],
        {"large_weights_explode": "7.9 * sigma_w < width"},
    ),
    (
        "weight_edges",
        ["network.depth=[5, 11]", "network.init=[normal, orthogonal]", "replicates=4"],
        {"vanish_below_explode_above": "depth >= 100"},
    ),
    (
        "init",
        [
            "network.weight_scale=2",
            "network.depth=100",
            "network.width=100",
            "network.init=he_normal",
            "network.activation=relu",
            "replicates=4",
        ],
        {"he_for_relu": "weight_scale == 1"},
    ),
    (
        "born_dead",
        ["network.activation=sigmoid", "network.depth=3", "replicates=50"],
        {"born_dead": "activation == 'relu'"},
    ),
    (
        "born_dead_signs",
        ["network.output=activation", "network.depth=3", "replicates=50"],
        {"born_dead_one_dimension": "output == 'linear'"},
    ),
    (
        "dead_units",
        ["data.batch=1", "network.depth=5", "network.width=128", "replicates=4"],
        {"few_silent_at_first": "batch >= 16", "as_by_chance": "depth > 5", "half_silent_at_last": "depth >= 100"},
    ),
    (
        "thousand_layers",
        ["network.depth=[10, 1000]", "replicates=2"],
        {"below_minus_6000": "depth >= 10000", "one_line_for_all_depths": "this sweep has none of the networks"},
    ),
    (
        "finite_width",
        ["network.init=orthogonal", "cases=[{width: 20, depth: [11, 41]}]", "replicates=200"],
        {"variance": "family == 'normal'", "mean": "family == 'normal'"},
    ),
    (
        "attenuation_beyond",
        [
            "network.activation=[relu, {name: leaky_relu, negative_slope: 0.2}]",
            "replicates=4",
            "network.output=linear",
            "network.depth=3",
        ],
        {"bounds": HOLDS, "ranking": "depth >= 32"},
    ),
]


@pytest.mark.parametrize(("sweep", "overrides", "expected"), CHANGED, ids=[f"{c[0]} {c[1][0]}" for c in CHANGED])
def test_a_claim_judges_only_what_it_speaks_of(tmp_path, sweep, overrides, expected):
    study = prepare(ROOT / "configs" / f"{sweep}.yaml", overrides, out=tmp_path / "r")
    driver.execute(study.prepared, Resources(1))
    results = Results(study.prepared.folder)
    verdicts = {claim.name: judge(claim, results) for claim in study.question.claims_of(sweep)}
    assert {verdict.grade for verdict in verdicts.values()} <= {*GOOD, UNDECIDED}, FAILS
    assert "layers" not in vars(results)  # the whole table, of which claims read the columns and rows that they need
    for name, what in expected.items():
        if what == HOLDS:
            assert verdicts[name].grade in GOOD, verdicts[name].deciding
        else:
            note = verdicts[name].deciding.note
            assert note.startswith("does not apply: ") and what in note
