"""Every claim of every experiment holds on real sweeps, and does not where one error is planted in what was recorded.

An error stands for a fault of the engine: a slope 2 % off, a wrong gain, a column shifted by a layer, a factor lost, a
dead count read from Step(0). Planting it in the tables does to them exactly what that fault does.
"""

from math import log10

import numpy as np
import pandas as pd
import pytest
from sweeps import SMALLEST, copied, question, swept, verdict

from harness.networks.coordinates import NAMES
from harness.study.claims import GOOD

pytestmark = pytest.mark.slow

TWO_PERCENT = log10(1.02)
GRADIENTS = ("log10_grad_weights", "log10_grad_biases", "log10_grad_preactivations", "log10_grad_outputs")


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """A function that gives the results of a sweep, and runs each sweep once."""
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
    """Change one column by `change`, on the rows that `rows` selects."""

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


def another_draw_used_twice(t):
    """The weights of layer 70 used at layer 71 once more."""
    above = t.layers["layer"] == 71
    t.layers.loc[above, "log10_norm_weights"] = t.layers.loc[t.layers["layer"] == 70, "log10_norm_weights"].to_numpy()


def one_percent_more(t):
    rows = t.layers["init"] == "he_uniform"
    t.layers.loc[rows, "log10_norm_weights"] += log10(1.01)


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


def kept(t):
    """Every gradient as large at the first layer as at the last."""
    t.networks["log10_gradient_gain"] = 0.01 * t.networks["replicate"]


def residuals_of_a_slope_off(t):
    """What a slope 2 % too large makes of the residuals."""
    t.networks["slope_residual"] += TWO_PERCENT / t.networks["predicted_spread"]


def untied_as_tied(t):
    """The draw of the first layer taken for all of them, or the other way round."""
    t.networks["slope_per_layer"] = t.networks.groupby(["activation", "depth", "replicate"])[
        "slope_per_layer"
    ].transform("mean")


def shared_slopes(t):
    """A new matrix at every layer although the weights are tied: the slopes of the untied networks."""
    untied = t.networks[~t.networks["tied"]].set_index(["activation", "depth", "replicate"])["slope_per_layer"]
    keys = pd.MultiIndex.from_frame(t.networks[["activation", "depth", "replicate"]])
    t.networks["slope_per_layer"] = untied.loc[keys].to_numpy()


def of_choice(at_zero):
    label = {0: "relu(at_zero=0)", 0.5: "relu(at_zero=0.5)", 1: "relu"}[at_zero]
    return lambda frame: frame["activation"] == label


PLANTED = {
    "neurons": {"closed_form_of_all": slope_off()},
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
        "cost": column("log10_cost", lambda f: f["log10_cost"] + log10(2), "networks"),
        "start": column("log10_grad_outputs", lambda f: f["log10_grad_outputs"] + log10(16)),  # not divided
        "biases_sum_the_batch": column("log10_grad_biases", lambda f: f["log10_grad_preactivations"]),
        "weights_pay_sigma_w": gain_off(1.06),
        "sigmoid_pays_alone": factors_swapped,
    },
    "weight_scale": {
        "small_weights_vanish": gain_off(1.1),
        "large_weights_explode": gain_off(1.3),
        "unsaturated_vanish": column("saturated_fraction", lambda f: 0.01),
        "saturated_explode": column("saturated_fraction", lambda f: f["saturated_fraction"] + 0.045),  # at 2 %
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
        "norms_of_weights": one_percent_more,
        "weights_of_their_own": another_draw_used_twice,
        "isometry": column("log10_weight_factor", lambda f: f["log10_weight_factor"] + 1e-8),  # of float32
        "half_on": column("slope_mean", lambda f: f["slope_mean"] * 0.96),
    },
    "dead_units": {
        "few_silent_at_first": column("dead_fraction", lambda f: f["dead_fraction"] + 1 / f["width"]),  # one more
        "half_silent_at_last": column("dead_fraction", lambda f: f["dead_fraction"] / 2),
        "as_by_chance": column("dead_fraction", lambda f: 0.5),
        "silent_is_not_dying": gain_off(0.9),
    },
    "born_dead": {
        "born_dead": a_layer_less,
        "dead_at_first": column("dead_from_layer", lambda f: f["dead_from_layer"] + 1, "networks"),
    },
    "born_dead_signs": {"born_dead_one_dimension": one_ray_is_enough},
    "thousand_layers": {
        "straight_lines": bent,
        "one_line_for_all_depths": column(
            "slope_per_layer", lambda f: f["slope_per_layer"] + log10(1.06), "networks", lambda f: f["depth"] == 1000
        ),
        "below_minus_6000": column("log10_gradient_gain", lambda f: f["log10_gradient_gain"].clip(-324), "networks"),
        "theory": slope_off(),
        "formats": no_subnormals,
        "first_zero": no_subnormals,
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
    "edges_are_windows": {
        "closed_in_narrow_layers": slope_off(log10(1.5)),
        "open_in_wider_ones": slope_off(log10(0.8)),
        "vanishes_again": column("slope_per_layer", lambda f: -f["slope_per_layer"], "networks"),
        "as_the_law_of_a_layer_says": slope_off(2 * TWO_PERCENT),
    },
    "two_fates": {
        "some_collapse": column("log10_rms_outputs", lambda f: f["log10_rms_outputs"] + 60),
        "nothing_in_between": column("log10_rms_outputs", lambda f: f["log10_rms_outputs"] / 6),
        "gradients_share_the_fate": flipped,
        "none_with_biases": column("log10_rms_outputs", lambda f: f["log10_rms_outputs"] - 4),
        "an_edge_with_biases": slope_off(),
    },
    "shift_not_spread": {
        "shares_within_three_decades": gain_off(0.95),
        "no_shift": slope_off(),
        "the_shift_is_predicted": slope_off(),
        "the_spread_stays": shared_draws,
    },
    "recurrent": {
        "radius": slope_off(),
        "not_the_norm": untied_as_tied,
        "draws_stay_apart": shared_slopes,
        "untied_follow_theory": residuals_of_a_slope_off,
        "relu_is_not_its_matrix": slope_off(0.1),
    },
    "normalisation": {"rates": slope_off(), "no_cure": slope_off(0.1)},
    "normalisation_batches": {
        "batch_explodes": flipped,
        "batch_rate": slope_off(0.023),  # a backward pass that forgets the projection along z_hat
    },
    "residual": {
        "rates": slope_off(),
        "flat": gain_off(2**0.5),  # alpha forgotten
        "power_of_depth": gain_off(1.02),
        "identity": column("log10_block_factor", lambda f: f["log10_block_factor"] + 1e-12),
    },
    "residual_orders": {"inside_is_worse": slope_off(-0.05)},
    "residual_deep": {"flat_at_any_depth": gain_off(1.01)},
    "remedies": {
        "scaled_skips_keep": gain_off(2**0.5),  # alpha forgotten
        "normalised_skips_keep": slope_off(0.09),  # a skip lost beside batch normalisation and ReLU
        "bare_skips_explode": gain_off(0.5**0.5),  # a skip alone
        "no_initialisation_keeps_sigmoids": slope_off(0.5),
        # What is often said stands if it fails in one case, so only a fault that moves them all is noticed: one that
        # hides the growth or the loss. A backward pass of batch normalisation without its z_hat or mean term lets
        # gradients grow faster still; `batch_rate` of `normalisation` notices that.
        "batch_normalisation_keeps": kept,
        "batch_normalisation_amplifies": slope_off(-TWO_PERCENT),
        "layer_normalisation_cures_sigmoids": kept,
        "length_normalisation_loses_sigmoids": gain_off(2**0.5),  # a layer that feels the scale of its weights
        "lsuv_as_predicted": gain_off(2**0.5),  # a start that is not scaled
        "standardised_as_predicted": gain_off(2**0.5),  # sigma_w forgotten
        "standardised_weights_save_sigmoids": slope_off(-0.41),  # a layer that feels the mean of its inputs
        "empty_branches_keep": gain_off(2**0.5),  # branches that are not empty
    },
    "spread_over_draws": {
        "mean": residuals_of_a_slope_off,
        "variance": column("slope_residual", lambda f: 1.3 * f["slope_residual"], "networks"),
        "normal": residuals_of_a_slope_off,
    },
}


def test_every_claim_has_an_error_planted():
    for sweep in SMALLEST:
        assert {claim.name for claim in question(sweep).claims_of(sweep)} == set(PLANTED[sweep])


@pytest.mark.parametrize(("sweep", "name"), [(sweep, name) for sweep in PLANTED for name in PLANTED[sweep]])
def test_a_claim_holds_and_notices(results, sweep, name):
    honest = verdict(sweep, name, results(sweep))
    assert honest.grade in GOOD, honest.deciding
    if plant := PLANTED[sweep][name]:
        tables = copied(results(sweep))
        plant(tables)
    else:
        tables = results("finite_width")
    assert verdict(sweep, name, tables).grade not in GOOD


def test_a_column_of_nulls_is_noticed_by_every_claim(results):
    """Nothing that a claim rests on may be missing without a word."""
    for sweep in ("depth", "weight_scale", "init", "thousand_layers", "finite_width"):
        tables = copied(results(sweep))
        for frame in (tables.layers, tables.networks):
            for name in frame.select_dtypes("float"):
                if name not in (*NAMES, "sigma_w", "sigma_b"):  # coordinates are not measured
                    frame.loc[frame["replicate"] == 1, name] = np.nan
        for claim in question(sweep).claims_of(sweep):
            assert verdict(sweep, claim.name, tables).grade not in GOOD, (sweep, claim.name)
