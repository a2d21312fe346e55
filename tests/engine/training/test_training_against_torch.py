"""Networks trained by every optimiser, with and without clipping, against PyTorch: as recorded, and live with -m torch.

Guards against a missing bias correction, a wrong sign or rate, clipping by layer, or an update of the wrong weights.
"""

import numpy as np
import pytest
from make_torch_training_fixtures import BATCH, CASES, DATA, PATH, SEED, STEPS, by_torch, flattened, minibatches_of

from harness.engine.training.at_start import Run, drawn
from harness.engine.training.loop import Trained
from harness.networks.remedies.normalisations import NORMALISATIONS
from harness.networks.remedies.residuals import RESIDUALS
from harness.networks.training.optimisers import OPTIMISERS

with np.load(PATH) as arrays:
    RECORDED = dict(arrays)
TOLERANCE = 1e-12  # 20 steps of roundings of numbers near 1


def trained(one, cost, recipe):
    runs = [Run(one, 0, recipe)]
    training = Trained(runs, drawn(runs, SEED, np.dtype(float), DATA), cost)
    steps = [training.step(x[None], y[None]) for x, y in minibatches_of(cost)]
    return flattened(training.stack), steps


@pytest.mark.parametrize("key", RECORDED)
def test_weights_after_20_steps(key):
    found, _ = trained(*CASES[key])
    np.testing.assert_allclose(found, RECORDED[key], rtol=0, atol=TOLERANCE)


def test_the_record_is_whole():
    assert set(RECORDED) == set(CASES)
    assert {case[2].optimiser.name for case in CASES.values()} == set(OPTIMISERS)
    for coordinate, table in (("normalisation", NORMALISATIONS), ("residual", RESIDUALS)):
        assert {getattr(case[0], coordinate).name for case in CASES.values()} == set(table)
    clipped = [[step.clipped[0] for step in trained(*case)[1]] for case in CASES.values() if case[2].clip]
    assert any(all(steps) for steps in clipped) and any(0 < sum(steps) < STEPS for steps in clipped)
    assert BATCH > 1


@pytest.mark.torch
@pytest.mark.parametrize("key", CASES)
def test_live(key):
    pytest.importorskip("torch")
    np.testing.assert_allclose(trained(*CASES[key])[0], by_torch(*CASES[key]), rtol=0, atol=TOLERANCE)
