"""`harness predict` with remedies: what it answers, what it proposes, and where it has no answer."""

import numpy as np
import pytest

from harness.base.errors import ConfigError
from harness.interface.forecast import forecasts, spec_of

SIGMOID = {"activation": "sigmoid", "init": "xavier_normal", "width": "256", "depth": "50"}
RELU = {**SIGMOID, "activation": "relu", "init": "he_normal"}


def tables(batch=32, **written):
    return forecasts(spec_of(written, batch), batch)


def row(table, what):
    return next(cells[1] for cells in table.rows if cells[0].startswith(what))


def test_batch_normalisation_explodes_at_the_rate_of_its_batch():
    answer, _ = tables(**RELU, normalisation="batch")
    # 48 layers of ½·log10 1.52195; the topmost one has a little less
    assert float(row(answer, "attenuation").replace("−", "-")) == pytest.approx(48 * np.log10(1.52195) / 2, abs=0.2)
    assert row(answer, "deepest") == "depth 36"


def test_a_vanishing_network_gets_the_remedies_that_help():
    _, remedies = tables(**SIGMOID)
    helping = [cells[0] for cells in remedies.rows]
    assert "batch normalisation" in helping
    assert "layer normalisation" not in helping  # which cures no sigmoid
    assert "layer normalisation of outputs" in helping
    assert all(abs(float(cells[1].replace("−", "-"))) <= 3 for cells in remedies.rows)


def test_standardised_weights_have_an_answer():
    (answer,) = tables(**RELU, weight_standardised="true")
    assert float(row(answer, "attenuation").replace("−", "-")) == pytest.approx(0, abs=0.01)  # 1 a layer for He
    assert answer.title.endswith("weights standardised: predicted, not run")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"init": "constant"}, "network.init: constant weights have no variance to be standardised by"),
        (
            {"input_width": "2"},
            "network.input_width: 2 weights to a unit are too few for weight_standardised, which lets no gradient "
            "pass: any two become ±1; use 3 or more",
        ),
    ],
)
def test_weights_that_cannot_be_standardised_are_refused(changed, message):
    with pytest.raises(ConfigError) as error:
        tables(**(RELU | changed), weight_standardised="true")
    assert str(error.value) == message


def test_lsuv_is_predicted_and_proposed():
    (answer,) = tables(**(RELU | {"init": "lsuv"}))
    assert answer.title == "relu, lsuv, width 256, depth 50: predicted, not run"
    assert abs(float(row(answer, "attenuation").replace("−", "-"))) < 0.05
    _, remedies = tables(**(RELU | {"init": "xavier_normal"}))
    assert "init lsuv" in [cells[0] for cells in remedies.rows]


def test_lsuv_of_tied_layers_is_refused():
    with pytest.raises(ConfigError) as error:
        tables(**(RELU | {"init": "lsuv"}), tied="true")
    assert str(error.value) == "network.init: lsuv scales every layer by itself, which unties them; remove it, or tied"


def test_a_healthy_network_gets_no_remedies():
    assert len(tables(**RELU)) == 1


def test_an_order_without_theory_says_so():
    (answer,) = tables(**RELU, residual="inside")
    assert row(answer, "attenuation").startswith("no answer: theory has none for this order")


def test_too_few_samples_are_refused():
    with pytest.raises(ConfigError) as error:
        tables(batch=2, **RELU, normalisation="batch")
    assert str(error.value) == (
        "data.batch: 2 is too few samples for normalisation: batch, which lets no gradient pass: "
        "any two values become ±1; use 3 or more"
    )
