"""The block `training:` of a config: recipes, recorded steps, the split, and every message."""

import copy

import pytest

from harness import config
from harness.base.errors import ConfigError
from harness.networks.training.recipe import recorded_steps

SWEEP = {
    "name": "t",
    "network": {"activation": "relu", "init": "he_normal", "depth": [2, 3], "width": 4},
    "data": {"inputs": "digits", "targets": "labels", "batch": 16},
    "training": {"learning_rate": 0.1, "steps": 20, "split": {"train": 100, "validation": 50}},
}


def changed(**training):
    sweep = copy.deepcopy(SWEEP)
    sweep["training"] |= training
    return sweep


def test_every_combination_of_the_axes_is_a_recipe():
    optimisers = ["sgd", {"name": "adam", "epsilon": [1e-8, 1e-40]}]
    sweep = config.read(
        changed(
            optimiser=optimisers,
            learning_rate={"from": 0.01, "to": 1, "steps": 3, "spacing": "log"},
            clip=[None, 1],
            batch=[8, 16],
        )
    )
    recipes = config.training_of(sweep).recipes
    assert len(recipes) == len({recipe.key for recipe in recipes}) == 3 * 3 * 2 * 2
    assert [r.optimiser.label for r in recipes[::12]] == ["sgd", "adam", "adam(epsilon=1e-40)"]
    assert sorted({r.learning_rate for r in recipes}) == [0.01, 0.1, 1.0]
    assert {r.clip for r in recipes} == {None, 1.0}


def test_defaults_are_written_out_and_read_again():
    sweep = config.read(SWEEP)
    assert sweep.training.split.test == 1797 - 150
    again = config.from_mapping(__import__("yaml").safe_load(config.dump(sweep)))
    assert again == sweep and config.training_of(again) == config.training_of(sweep)
    gaussian = config.read(copy.deepcopy(SWEEP) | {"data": {"batch": 16}})
    assert gaussian.training.split.test == 50  # as many as validate


def test_a_sweep_that_does_not_train_has_the_digest_it_had():
    plain = {key: value for key, value in SWEEP.items() if key != "training"}
    assert config.training_of(config.read(plain)) is None
    assert config.digest(config.read(plain)) == config.digest(config.read(plain | {"training": None}))
    digests = {config.digest(config.read(one)) for one in (plain, SWEEP, changed(steps=21), changed(clip=1))}
    assert len(digests) == 4


def test_differences_name_the_keys_of_the_block():
    old, new = config.read(SWEEP), config.read(changed(steps=21))
    assert [str(change) for change in config.differences(old, new)] == ["training.steps: 20 -> 21"]
    without = config.read({key: value for key, value in SWEEP.items() if key != "training"})
    assert {change.where for change in config.differences(without, old)} >= {"training.learning_rate", "training.steps"}


def test_recorded_steps():
    assert recorded_steps(100, 5, "linear") == (0, 25, 50, 75, 100)
    assert recorded_steps(100, 4, "log") == (0, 1, 10, 100)
    assert recorded_steps(3, 50, "log") == (0, 1, 2, 3)
    assert recorded_steps(7, 2, "log") == recorded_steps(7, 2, "linear") == (0, 7)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (dict(learning_rate=0), "training.learning_rate: 0 is not a learning rate; use a finite number above 0"),
        (dict(optimiser="adm"), "training.optimiser: 'adm' is not an optimiser; did you mean 'adam'?"),
        (dict(optimiser={"name": "adam", "epsilon": 0}), "training.optimiser.epsilon: epsilon must be above 0, not 0"),
        (
            dict(optimiser={"name": "momentum", "momentum": 1}),
            "training.optimiser.momentum: momentum must be 0 or more and below 1, not 1",
        ),
        (dict(optimiser={"name": "sgd", "decay": 1}), "training.optimiser.decay: unknown key; sgd has no parameters"),
        (dict(learning_rates=1), "training.learning_rates: unknown key; did you mean 'learning_rate'?"),
        (dict(cost="squared"), "training.cost: unknown key; cost stands at the top level, beside network"),
        (dict(learning_rate=[0.1, 0.1]), "training.learning_rate[1]: 0.1 comes twice in this axis; remove one"),
        (dict(clip=-1), "training.clip: -1 is not a clip; use a finite number above 0"),
        (dict(batch=101), "training.batch: 101 is more than the 100 rows that train; use 100 or less"),
        (dict(steps=0), "training.steps: 0 is not a number of steps; use 1 or more"),
        (
            dict(batch=8, split={"train": 8}),
            "data.batch: 16 samples are the probe, more than the 8 rows that train; use fewer",
        ),
        (
            dict(split={"train": 1700, "validation": 97}),
            "training.split: needs 1798 rows, but 'digits' has 1797; use fewer rows",
        ),
        (dict(split={"trian": 8}), "training.split.trian: unknown key; did you mean 'train'?"),
        (dict(record={"times": 1}), "training.record.times: 1 is not a number of times; use 2 or more"),
        (
            dict(record={"times": 10**8}),
            "training.record.times: 100000000 is too large for a number of times; use 100000 or less",
        ),
        (
            dict(record={"spacing": "even"}),
            "training.record.spacing: 'even' is not a spacing; use linear or log",
        ),
        (dict(reached=0.5), "training.reached: 0.5 is not a list of costs; write [0.5, 0.1]"),
        (dict(reached=[0.5, 0.5]), "training.reached: 0.5 comes twice; remove one"),
    ],
)
def test_messages(block, message):
    with pytest.raises(ConfigError) as error:
        config.read(changed(**block))
    assert str(error.value) == message


def test_missing_keys_of_the_block():
    with pytest.raises(ConfigError) as error:
        config.read(SWEEP | {"training": {}})
    assert list(error.value.problems) == [
        "training.learning_rate: missing; add it, such as learning_rate: 0.1",
        "training.steps: missing; add it, such as steps: 600",
    ]


def test_a_cost_without_a_least_value_cannot_be_trained():
    with pytest.raises(ConfigError) as error:
        config.read(SWEEP | {"cost": "linear"})
    assert str(error.value) == "cost: linear has no least value to train towards; use squared"


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("weight_standardised", "keeps the variance that weights start with, 0 in the last layer of every branch"),
        ("tied", "has one W in all hidden layers, and the rule another in the last layer of every branch"),
    ],
)
def test_weights_that_a_rule_starts_at_0_are_trained_neither_standardised_nor_tied(key, why):
    network = SWEEP["network"] | {"residual": ["none", "fixup"], key: [False, True]}
    with pytest.raises(ConfigError) as error:
        config.read(SWEEP | {"network": network})
    assert str(error.value) == (
        f"network.{key}: {key} {why} of residual: fixup, which is not trained so; remove one of them, or training"
    )
    config.read({name: value for name, value in SWEEP.items() if name != "training"} | {"network": network})


def test_minibatches_are_large_enough_to_be_normalised():
    with pytest.raises(ConfigError) as error:
        config.read(changed(batch=[2, 8]) | {"network": SWEEP["network"] | {"normalisation": ["none", "batch"]}})
    assert str(error.value) == (
        "training.batch: 2 is too few samples for normalisation: batch, which lets no gradient pass; use 3 or more"
    )
    config.read(changed(batch=[2, 8]) | {"network": SWEEP["network"] | {"normalisation": ["none", "layer"]}})


def test_too_many_runs_need_allow_large():
    rates = {"from": 0.001, "to": 1, "steps": 1000}
    many = changed(learning_rate=rates) | {"replicates": 501}
    with pytest.raises(ConfigError) as error:
        config.read(many)
    assert str(error.value) == (
        "training: up to 1,002,000 training runs, more than 1,000,000; use less, or give --allow-large"
    )
    assert config.count(config.read(many, allow_large=True)) == 2
