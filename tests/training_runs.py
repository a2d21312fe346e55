"""Blocks that train, for tests: small networks of the digits, with the tables as DataFrames."""

from dataclasses import replace

import pandas as pd
from nets import choice, settings

from harness.engine.lanes.groups import Block
from harness.engine.training import at_start
from harness.execution.block import run_block
from harness.networks.training.recipe import Recipe, Training, recorded_steps

ENDS = {"input_width": 64, "output_width": 10, "output": "linear"}
DATA = {"batch": 16, "inputs": "digits", "targets": "labels"}


def recipe(optimiser="sgd", learning_rate=0.1, clip=None, batch=8, **parameters):
    return Recipe(choice(optimiser, **parameters), learning_rate, clip, batch)


def training(*recipes, steps=12, times=5, reached=()):
    """Few rows, so that an epoch ends and the rest of a permutation is left out: 5 minibatches of 8 in 44."""
    return Training(recipes or (recipe(),), steps, 44, 20, 30, recorded_steps(steps, times, "log"), tuple(reached))


def trained(specs, how, replicates=range(1), **options):
    """(layers, networks, steps, step_layers) of a block."""
    given = replace(settings(**{**DATA, **options}), training=how)
    made = run_block(Block(tuple(specs), replicates), given)
    frames = made.layers, made.networks, made.steps["steps"], made.steps["step_layers"]
    return tuple(frame.to_pandas() for frame in frames)


def at_step(frame, step):
    """The scheduled rows of one step."""
    return frame[(frame["step"] == step) & frame["reached"].isna()].reset_index(drop=True)


def same(one, other):
    """Both frames without differences, texts compared as texts."""
    plain = []
    for frame in (one, other):
        texts = dict.fromkeys(frame.select_dtypes("category"), str)
        plain.append(frame.reset_index(drop=True).astype(texts))
    pd.testing.assert_frame_equal(*plain, check_exact=True)


def require_the_same_bits_alone(specs, monkeypatch):
    """Each network has the numbers that it has beside the others, to the bit."""
    how = training(recipe("sgd", 0.1), recipe("adam", 0.01), recipe("sgd", 0.1, clip=0.3))
    whole = trained(specs, how, range(3), dtype="float32")
    monkeypatch.setattr(at_start, "MOST_TOGETHER", 1)
    monkeypatch.setattr(at_start, "TOGETHER_BYTES", 0)
    for one in specs:
        alone = trained([one], training(recipe("sgd", 0.1, clip=0.3)), range(2, 3), dtype="float32")
        for mine, of_all in zip(alone[2:], whole[2:], strict=True):
            same(mine, of_all[of_all["run"].isin(mine["run"].astype(str))])
