"""Every claim of every experiment holds on real sweeps, and does not where one error is planted in what was recorded.

An error stands for a fault of the engine: a slope 2 % off, a wrong gain, a column shifted by a layer, a factor lost, a
dead count read from Step(0). Planting it in the tables does to them exactly what that fault does.
"""

from math import log10

import numpy as np
import pytest
from sweeps import SMALLEST, copied, question, swept, verdict

from harness.claims import HOLDS

pytestmark = pytest.mark.slow

TWO_PERCENT = log10(1.02)
GRADIENTS = ("log10_grad_weights", "log10_grad_biases", "log10_grad_preactivations", "log10_grad_outputs")


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """Sweeps as they are asked for, each run once."""
    found, folder = {}, tmp_path_factory.mktemp("sweeps")

    def of(sweep):
        if sweep not in found:
            found[sweep] = swept(sweep, folder)
        return found[sweep]

    return of


# Faults: each takes tables and changes them -------------------------------------------------------------------------


def slope_off(by=TWO_PERCENT, activation=None):
    """phi′ too large by so many decades at every layer: what each backward column then holds."""

    def plant(t):
        rows = slice(None) if activation is None else t.layers["activation"] == activation
        from_output = t.layers["depth"] - t.layers["layer"] + 1
        for name in GRADIENTS:
            more = from_output - 1 if name == "log10_grad_outputs" else from_output
            t.layers.loc[rows, name] += by * more
        t.layers.loc[rows, "log10_activation_factor"] += by
        networks = slice(None) if activation is None else t.networks["activation"] == activation
        t.networks.loc[networks, "log10_gradient_gain"] += by * (t.networks["depth"] - 1)
        t.networks.loc[networks, "slope_per_layer"] += by

    return plant


def gain_off(factor):
    """W = gain · base with a gain that is wrong by a factor, in a homogeneous network."""

    def plant(t):
        t.layers["log10_weight_factor"] += log10(factor)
        t.networks["log10_gradient_gain"] += log10(factor) * (t.networks["depth"] - 1)
        t.networks["slope_per_layer"] += log10(factor)

    return plant


def column(name, change, table="layers", rows=None):
    """One column as `change` makes it, on the rows for which `rows` holds."""

    def plant(t):
        frame = getattr(t, table)
        chosen = np.ones(len(frame), dtype=bool) if rows is None else rows(frame).to_numpy()
        frame.loc[chosen, name] = change(frame[chosen])

    return plant


def swapped(name, a, b):
    """Two labels exchanged: one network's numbers recorded as another's."""

    def plant(t):
        for frame in (t.layers, t.networks):
            frame[name] = frame[name].replace({a: b, b: a})

    return plant


def flipped(t):
    t.networks["log10_gradient_gain"] *= -1


def factors_swapped(t):
    names = ["log10_activation_factor", "log10_weight_factor"]
    t.layers[names] = t.layers[names[::-1]].to_numpy()


def one_factor_lost(t):
    """Layer 1's activation factor left out of the attenuation."""
    first = t.layers[t.layers["layer"] == 1].set_index("network")["log10_activation_factor"]
    t.networks["log10_gradient_gain"] -= first.loc[t.networks["network"]].to_numpy()


def drifting(t):
    t.layers["log10_activation_factor"] += 0.002 * t.layers["layer"]


def shared_draws(t):
    """The same draw at several layers: twice the deviation from the mean."""
    own = t.networks.groupby(["width", "depth"])["log10_gradient_gain"]
    t.networks["log10_gradient_gain"] += t.networks["log10_gradient_gain"] - own.transform("mean")


def a_layer_less(t):
    """Networks that died in their last hidden layer taken for alive."""
    last = t.networks["dead_from_layer"].astype(float) == t.networks["depth"] - 1
    t.networks.loc[last, "dead_from_layer"] = np.nan


def one_ray_is_enough(t):
    """Dead as soon as one sample of the batch is: so are all networks of width 1."""
    narrow = t.networks["width"] == 1
    t.networks.loc[narrow, "dead_from_layer"] = 1


def no_subnormals(t):
    """Formats that give up at their smallest normal number, 7 decades before float32's and 16 before float64's."""
    for name, decades in (("float32", 6.9), ("float64", 15.7)):
        layers = t.networks[f"zero_from_layer_{name}"].astype(float)
        t.networks[f"zero_from_layer_{name}"] = layers - np.round(decades / t.networks["slope_per_layer"])


def bent(t):
    """A slope that grows towards the input by a tenth."""
    x = t.layers["layer"] / t.layers["depth"]
    t.layers["log10_grad_preactivations"] += 0.02 * t.layers["depth"] * x * (1 - x)


def of_choice(at_zero):
    label = {0: "relu(at_zero=0)", 0.5: "relu(at_zero=0.5)", 1: "relu"}[at_zero]
    return lambda frame: frame["activation"] == label


PLANTED = {
    "single_neuron": {
        "closed_form": slope_off(),
        "all_or_nothing": slope_off(activation="relu"),
        "quarter": slope_off(),
        "half_learn_nothing": column("dead_from_layer", lambda _: np.nan, "networks"),
    },
    "step_at_zero": {
        "weight_gradients": column("log10_grad_weights", lambda f: f["log10_grad_weights"] + 1e-12, rows=of_choice(0)),
        "nothing_learnt": column("log10_grad_weights", lambda f: f["log10_grad_weights"].clip(lower=-324)),
        "bias_gradients": swapped("activation", "relu", "relu(at_zero=0)"),
        "halved": swapped("activation", "relu", "relu(at_zero=0.5)"),
        "naive_count": swapped("activation", "relu", "relu(at_zero=0)"),
        "dead_count": column("dead_fraction", lambda f: 1 - f["slope_mean"]),  # read from Step(0)
    },
    "depth": {
        "quarter": slope_off(log10(2), "sigmoid"),  # y for y(1 − y)
        "step_never_amplifies": slope_off(2 * TWO_PERCENT),
        "sigmoid_slope": slope_off(),
        "step_is_half": slope_off(log10(0.5) / 2),  # the share itself, for its root
        "step_has_no_trend": drifting,
        "output_layer_differs": column("log10_activation_factor", lambda f: log10(0.5) / 2),  # a linear cost's
        "ledger_balances": one_factor_lost,
        "weights_pay_sigma_w": gain_off(1.06),
        "sigmoid_pays_alone": factors_swapped,
    },
    "weight_scale": {
        "small_weights_vanish": flipped,
        "large_weights_explode": flipped,
        "unsaturated_vanish": column("saturated_fraction", lambda f: 0.01),
        "saturated_explode": column("saturated_fraction", lambda f: 0.0),
    },
    "weight_edges": {
        "relu_edge": slope_off(),
        "sigmoid_edge": slope_off(),
        "vanish_below_explode_above": gain_off(1.2),
    },
    "init": {
        "theory": slope_off(),
        "he_for_relu": swapped("init", "he_normal", "xavier_normal"),
        "unit_not_for_relu": swapped("init", "he_normal", "xavier_normal"),
        "unit_for_tanh_and_linear": swapped("init", "he_normal", "xavier_normal"),
        "he_not_for_tanh_and_linear": swapped("init", "he_normal", "xavier_normal"),
        "none_for_sigmoid": swapped("activation", "sigmoid", "tanh"),
        "default_for_none": gain_off(3**0.5),  # the variance of a uniform draw forgotten
    },
    "dead_units": {
        "few_silent_at_first": column("dead_fraction", lambda f: 0.5),  # on one sample, not on all
        "half_silent_at_last": column("dead_fraction", lambda f: f["dead_fraction"] / 2),
        "as_by_chance": column("dead_fraction", lambda f: 0.5),
        "silent_is_not_dying": gain_off(0.9),
    },
    "born_dead": {"born_dead": a_layer_less},
    "born_dead_signs": {"born_dead_one_dimension": one_ray_is_enough},
    "thousand_layers": {
        "straight_lines": bent,
        "one_line_for_all_depths": column("slope_per_layer", lambda f: f["slope_per_layer"] + log10(1.06), "networks",
                                          lambda f: f["depth"] == 1000),
        "below_minus_6000": column("log10_gradient_gain", lambda f: f["log10_gradient_gain"].clip(-324), "networks"),
        "theory": slope_off(),
        "formats": no_subnormals,
    },
    "finite_width": {
        "mean": slope_off(),
        "variance": shared_draws,
        "normal": slope_off(),
        "median_tells": slope_off(),
        "mean_misleads": gain_off(1.1),
    },
    "finite_width_squared": {
        "squared_shifts": gain_off(0.95),
        "squared_not_normal": None,  # below: on the linear cost's tables
    },
    "attenuation_beyond": {
        "ranking": swapped("activation", "softplus", "relu"),
        "theory": slope_off(),
        "bounds": slope_off(),
        "weights_pay_nothing": gain_off(1.05),
    },
}  # fmt: skip


def test_every_claim_has_an_error_planted():
    for sweep in SMALLEST:
        assert {claim.name for claim in question(sweep).claims_of(sweep)} == set(PLANTED[sweep])


@pytest.mark.parametrize(("sweep", "name"), [(sweep, name) for sweep in PLANTED for name in PLANTED[sweep]])
def test_a_claim_holds_and_notices(results, sweep, name):
    honest = verdict(sweep, name, results(sweep))
    assert honest.grade == HOLDS, honest.deciding
    if plant := PLANTED[sweep][name]:
        tables = copied(results(sweep))
        plant(tables)
    else:
        tables = results("finite_width")
    assert verdict(sweep, name, tables).grade != HOLDS


def test_a_column_of_nulls_is_noticed_by_every_claim(results):
    """Nothing that a claim rests on may be missing without a word."""
    for sweep in ("depth", "weight_scale", "init", "thousand_layers", "finite_width"):
        tables = copied(results(sweep))
        for frame in (tables.layers, tables.networks):
            for name in frame.select_dtypes("float"):
                if name not in ("weight_scale", "bias_scale", "sigma_w", "sigma_b"):
                    frame.loc[frame["replicate"] == 1, name] = np.nan
        for claim in question(sweep).claims_of(sweep):
            assert verdict(sweep, claim.name, tables).grade != HOLDS, (sweep, claim.name)
