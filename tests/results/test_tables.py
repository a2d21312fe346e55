"""What the tables say of a network that leaves the number format, dies, vanishes or explodes, and where it reads zero.

Guards against a status given to the wrong layer, an underflow called dead, a dead network called ok, numbers kept where
nothing is known, and a threshold that is another format's.
"""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from nets import CHOICES, KEYS, choice, differing, drawn, faults, label, profile, run, spec

from harness.base.arrays import INFINITE_FROM
from harness.engine.measures import BACKWARD, FORWARD
from harness.networks.activations import ACTIVATIONS
from harness.networks.spec import activation_of
from harness.results.tables import recorded

# Out of the number format -------------------------------------------------------------------------------------------

UNBOUNDED = ("softplus", "gelu", "silu", "elu", "selu")


@pytest.mark.parametrize("dtype, scale", [("float64", 1e200), ("float32", 1e25)])
@pytest.mark.parametrize("name", UNBOUNDED)
def test_overflow_has_a_status_from_its_layer_on(name, dtype, scale):
    """The second layer's values are beyond the format: nothing above is known, no gradient is, and nothing is dead."""
    specs = [spec(name, weight_scale=scale, depth=d, width=16) for d in (1, 2, 5)]
    layers, networks = run(specs, 2, dtype=dtype)
    assert faults(layers, networks) == []
    ok, failed = networks[networks["depth"] == 1], networks[networks["depth"] > 1]
    assert (ok["status"] == "ok").all()
    assert (failed["status"] == "forward pass overflows at layer 2").all()
    unknown = ["log10_cost", "log10_gradient_gain", "slope_per_layer", "regime", "dead_from_layer"]
    unknown += [name for name in networks if name.startswith("zero_from_layer")]
    assert failed[unknown].isna().all(axis=None)
    rows = layers[layers["depth"] > 1]
    assert rows[list(BACKWARD)].isna().all(axis=None)
    assert rows.loc[rows["layer"] >= 2, list(FORWARD)].isna().all(axis=None)
    assert rows.loc[rows["layer"] < 2, list(FORWARD)].notna().all(axis=None)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name, scale", [("sigmoid", 1e4), ("tanh", 1e4), ("erf", 1e3)])
@pytest.mark.parametrize("width", [1, 2])
def test_a_slope_that_underflows_has_a_status_and_is_not_dead(name, scale, width, dtype):
    layers, networks = run(spec(name, "lecun_normal", scale, depth=6, width=width), 20, dtype=dtype, batch=2)
    assert faults(layers, networks, batch=2) == []
    failed = networks[networks["status"].str.startswith("slope underflows at layer ")]
    assert len(failed) > 1  # slopes near e^−10000, but where the forward pass underflows first
    assert networks["dead_from_layer"].isna().all()
    for row in failed.itertuples():
        at = int(row.status.rsplit(" ", 1)[1])
        mine = layers[layers["network"] == row.network]
        assert mine.loc[mine["layer"] <= at, list(BACKWARD)].isna().all(axis=None)
        assert mine.loc[mine["layer"] > at, "log10_grad_preactivations"].notna().all()
        assert mine[["slope_mean", "log10_rms_outputs"]].notna().all(axis=None)  # the forward pass is known
        assert pd.isna(row.regime) and np.isnan(row.log10_gradient_gain)
        assert not np.isnan(row.log10_cost)


def test_a_slope_just_above_the_format_is_right():
    """One neuron a layer, sigmoid: ∂C/∂z is the product of slopes and weights, recomputed in logarithms."""
    for scale in (200.0, 600.0, 690.0):
        one = spec("sigmoid", choice("normal", sigma_w=scale), depth=2, width=1)
        layers, networks = run(one, 30, batch=1)
        for replicate, row in enumerate(networks.itertuples()):
            if row.status != "ok":
                continue
            weights, _, x, y = drawn(one, replicate, batch=1)
            z = [weights[0].item() * x.item()]
            r = [np.exp(-np.logaddexp(0, -z[0]))]
            z.append(weights[1].item() * r[0])
            r.append(np.exp(-np.logaddexp(0, -z[1])))
            log_slope = [-np.logaddexp(0, v) - np.logaddexp(0, -v) for v in z]
            top = np.log(abs(r[1] - y.item())) + log_slope[1]
            delta = top + np.log(abs(weights[1].item())) + log_slope[0]
            found = layers.loc[layers["network"] == row.network, "log10_grad_preactivations"].to_numpy()
            np.testing.assert_allclose(found * np.log(10), [delta, top], rtol=1e-12)


def test_a_forward_pass_that_underflows_has_a_status():
    """sigmoid(−10^4) is e^−10^4: not zero, and not in the format."""
    layers, networks = run(spec("sigmoid", "lecun_normal", 1e4, depth=3, width=1), 20, batch=1)
    assert faults(layers, networks, batch=1) == []
    failed = networks[networks["status"].str.startswith("forward pass underflows at layer ")]
    assert len(failed) > 5  # where the first weight and input have different signs: half of 20
    assert failed["dead_from_layer"].isna().all()


@pytest.mark.parametrize("scale", [1e-200, 1e200])
@pytest.mark.parametrize("activation", [name for name, make in ACTIVATIONS.items() if make().homogeneous])
def test_a_homogeneous_network_never_leaves_the_format(activation, scale):
    layers, networks = run(spec(activation, weight_scale=scale, depth=50, width=16), 4)
    assert (networks["status"] == "ok").all()
    norms = layers[["log10_grad_preactivations", "log10_rms_outputs", "log10_grad_weights"]]
    assert np.isfinite(norms).all(axis=None)
    assert norms.abs().max().min() > 9500  # 50 layers of 10^±200


# Dead ---------------------------------------------------------------------------------------------------------------


def dead_from(one, replicate, **options):
    """By the definition: the layer by which every sample has met one in which all units are silent."""
    weights, biases, r, _ = drawn(one, replicate, **options)
    activation, first = activation_of(one.activation), np.full(len(r), np.inf)
    for k, (W, b) in enumerate(zip(weights, biases, strict=True), start=1):
        z = r @ W + b
        if k < one.depth or one.output == "activation":
            silent = np.all(activation.slope(np.where(z == 0, -1.0, z)) == 0, axis=1)
            first = np.where(silent & np.isinf(first), k, first)
            z = activation.value(z)
        r = z
    return first.max() if np.isfinite(first.max()) else np.nan


@pytest.mark.parametrize("bias_scale", [0.0, 0.3])
@pytest.mark.parametrize("output", ["activation", "linear"])
@pytest.mark.parametrize(
    "chosen", [choice("relu", at_zero=0), choice("relu", at_zero=0.5), choice("relu"), choice("hard_tanh")], ids=label
)
def test_dead_networks(chosen, output, bias_scale):
    """Width 2: of 40 layers most networks die, those of 1 … 4 layers rarely."""
    scale = 2.0 if chosen.name == "hard_tanh" else 1.0
    specs = [spec(chosen, "he_normal", scale, bias_scale, depth=d, width=2, output=output) for d in (1, 2, 4, 40)]
    layers, networks = run(specs, 25, batch=2)
    assert faults(layers, networks, batch=2) == []
    expected = [dead_from(one, i, batch=2) for one in specs for i in range(25)]
    np.testing.assert_array_equal(networks["dead_from_layer"].to_numpy(float), expected)
    assert 20 < np.isfinite(expected).sum() < 80  # both kinds are here
    zero_when_silent = activation_of(chosen).homogeneous and bias_scale == 0  # a silent layer's outputs are all 0
    delta = {name: rows["log10_grad_preactivations"].to_numpy() for name, rows in layers.groupby("network")}
    weights = {name: rows["log10_grad_weights"].to_numpy() for name, rows in layers.groupby("network")}
    for row in networks.itertuples():
        assert (delta[row.network][0] == -np.inf) == (not np.isnan(row.dead_from_layer))
        if row.regime == "dead" and zero_when_silent:
            assert (weights[row.network] == -np.inf).all()  # exact zeros, all of them
    if bias_scale == 0:
        dead = layers.merge(networks[networks["regime"] == "dead"][["network", "dead_from_layer"]], on="network")
        if zero_when_silent:
            above = dead[
                (dead["layer"] >= dead["dead_from_layer"])
                & ((dead["layer"] < dead["depth"]) | (output == "activation"))
            ]
            assert (above["dead_fraction"] == 1).all() and (above["log10_rms_outputs"] == -np.inf).all()


def test_step_of_zero_shows_above_a_dead_layer_and_nowhere_else():
    """There z is exactly 0: Step(0) = 1 passes a bias gradient, ½ half of it a layer, 0 none; weights get none."""
    choices = [choice("relu", at_zero=v) for v in (0, 0.5, 1)]
    specs = [spec(c, depth=12, width=2, output="linear") for c in choices]
    layers, networks = run(specs, 40, batch=1)
    dead = networks.loc[(networks["activation"] == "relu(at_zero=0)"), "dead_from_layer"].to_numpy()
    assert np.isfinite(dead).sum() > 20
    none, half, one = (profile(layers[layers["activation"] == c.label], "log10_grad_biases") for c in choices)
    for i, k in enumerate(dead):
        if np.isnan(k):
            np.testing.assert_array_equal(none[i], one[i])
            np.testing.assert_array_equal(none[i], half[i])
        elif k < 12:
            k = int(k)
            assert (none[i, :11] == -np.inf).all()
            assert (one[i, :k] == -np.inf).all() and np.isfinite(one[i, k:]).all()
            halvings = np.arange(11 - k, -1, -1) * np.log10(0.5)
            np.testing.assert_allclose(half[i, k:], one[i, k:] + halvings, rtol=0, atol=1e-13)


@pytest.mark.parametrize("chosen", CHOICES, ids=label)
def test_inputs_of_zeros(chosen, tmp_path):
    path = tmp_path / "zeros.npy"
    np.save(path, np.zeros((5, 6)))
    specs = [spec(chosen, bias_scale=b, depth=4) for b in (0.0, 0.5)]
    layers, networks = run(specs, 2, inputs="zeros.npy", path=path)
    assert faults(layers, networks) == []
    assert (layers.loc[layers["layer"] == 1, "log10_grad_weights"] == -np.inf).all()  # r[0].T @ delta
    plain = layers[layers["bias_scale"] == 0]
    if activation_of(chosen).vanishes_at_zero:
        assert (plain["log10_rms_outputs"] == -np.inf).all() and plain["output_cosine"].isna().all()
    silent = activation_of(chosen).silent
    assert (networks["regime"] == "dead").sum() == (2 if silent and silent(np.zeros(1)).all() else 0)
    assert (networks["status"] == "ok").all()


@pytest.mark.parametrize("chosen", [choice("relu"), choice("tanh")], ids=label)
def test_targets_of_zero_under_the_linear_cost(chosen):
    layers, networks = run(spec(chosen), 3, targets="zeros", cost="linear")
    assert faults(layers, networks) == []
    assert (networks["status"] == "the gradient is zero at the output").all()
    assert networks["dead_from_layer"].isna().all() and (networks["log10_cost"] == -np.inf).all()


# Regimes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gain, decades, regime",
    [(-2.9, 3.0, "healthy"), (-3.1, 3.0, "vanishing"), (3.1, 3.0, "exploding"), (3.1, 3.2, "healthy")],
)
def test_regimes(gain, decades, regime):
    """Orthogonal linear layers: the attenuation is the weight scale, layer by layer."""
    one = spec("linear", "orthogonal", weight_scale=10 ** (gain / 4), depth=5)
    _, networks = run(one, 2, decades=decades)
    np.testing.assert_allclose(networks["log10_gradient_gain"], gain, rtol=1e-12)
    assert set(networks["regime"]) == {regime}


# Where a number format reads zero -----------------------------------------------------------------------------------

SMALLEST = {"float16": 2.0**-24, "float32": 2.0**-149}  # subnormals


@pytest.mark.parametrize("name", ["float16", "float32"])
def test_zero_from_layer_is_where_a_cast_reads_zero(name):
    one = spec("sigmoid", "lecun_normal", depth=90, width=8)
    _, networks = run(one, 5)
    for replicate, found in enumerate(networks[f"zero_from_layer_{name}"]):
        weights, biases, r, y = drawn(one, replicate)
        outputs = [r]
        for W, b in zip(weights, biases, strict=True):
            outputs.append(1 / (1 + np.exp(-(outputs[-1] @ W + b))))
        grad_r, lost = (outputs[-1] - y) / len(y), []
        for k in range(90, 0, -1):  # no delta is under 1e-70: float64 holds them all
            delta = grad_r * outputs[k] * (1 - outputs[k])
            with np.errstate(under="ignore"):
                cast = delta.astype(name)
            assert np.abs(delta).max() > 1e-70
            assert cast.any() == (np.abs(delta).max() > SMALLEST[name] / 2)
            if not cast.any():
                lost.append(k)
            grad_r = delta @ weights[k - 1].T
        assert found == max(lost)


def passes(one, replicate, **options):
    """r[1] … r[depth] and ∂C/∂z[1] … ∂C/∂z[depth] of a network in plain float64."""
    weights, biases, x, y = drawn(one, replicate, **options)
    phi, outputs, slopes = activation_of(one.activation), [x], []
    for W, b in zip(weights, biases, strict=True):
        z = outputs[-1] @ W + b
        r, slope = np.empty_like(z), np.empty(z.shape, phi.slope_dtype(z.dtype))
        phi.fill(z, r, slope)
        outputs.append(r)
        slopes.append(slope)
    grad_r, deltas = (outputs[-1] - y if options.get("cost", "squared") == "squared" else y) / len(y), []
    for W, slope in zip(reversed(weights), reversed(slopes), strict=True):
        deltas.append(grad_r * slope)
        grad_r = deltas[-1] @ W.T
    return outputs[1:], deltas[::-1]


@pytest.mark.parametrize("cost", ["squared", "linear"])
@pytest.mark.parametrize("chosen", ["linear", "relu", "elu"])
def test_infinite_from_layer_is_where_a_cast_reads_infinity(chosen, cost):
    """Also of lanes that share one forward pass, with gains that no format holds in the end."""
    specs = [spec(chosen, "lecun_normal", scale, depth=70, width=6) for scale in (0.5, 3.0, 16.0)]
    _, networks = run(specs, 2, batch=3, cost=cost)
    for one, place in product(range(3), range(2)):
        row = networks.iloc[2 * one + place]
        outputs, deltas = passes(specs[one], place, batch=3, cost=cost)
        for name in ("float16", "float32"):
            with np.errstate(over="ignore"):
                up = [k for k, r in enumerate(outputs, start=1) if np.isinf(r.astype(name)).any()]
                down = [k for k, delta in enumerate(deltas, start=1) if np.isinf(delta.astype(name)).any()]
            assert row[f"infinite_from_layer_{name}"] == pytest.approx(min(up, default=np.nan), nan_ok=True)
            assert row[f"infinite_gradient_from_layer_{name}"] == pytest.approx(max(down, default=np.nan), nan_ok=True)


def test_bounds_of_the_formats_are_where_rounding_makes_infinity():
    for name in ("float16", "float32"):
        just = 10.0 ** INFINITE_FROM[name]
        with np.errstate(over="ignore"):
            assert np.isinf(np.array(just * (1 + 1e-10)).astype(name))
            assert np.isfinite(np.array(just * (1 - 1e-10)).astype(name))
    assert INFINITE_FROM["bfloat16"] == pytest.approx(np.log10(2.0**128 - 2.0**119), abs=1e-12)
    assert INFINITE_FROM["float64"] == pytest.approx(1024 * np.log10(2), abs=1e-12)


@pytest.mark.parametrize("chosen", ["relu", "linear", "sigmoid", "softplus"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_mean_and_standard_deviation_of_outputs(chosen, dtype):
    specs = [spec(chosen, "lecun_normal", scale, depth=9, width=12) for scale in (0.01, 1.0, 3.0)]
    layers, _ = run(specs, 2, batch=5, dtype=dtype)
    for one, place in product(range(3), range(2)):
        found = layers[layers["network"] == specs[one].network(place)]
        outputs, _ = passes(specs[one], place, batch=5)
        rms = np.array([np.sqrt(np.mean(r**2)) for r in outputs])
        rtol = 1e-9 if dtype == "float64" else 3e-4  # of the rms: base draws and sums of float32
        assert np.allclose(found["mean_outputs"] / rms, [r.mean() for r in outputs] / rms, rtol=0, atol=rtol)
        assert np.allclose(found["std_outputs"] / rms, [r.std() for r in outputs] / rms, rtol=0, atol=rtol)
        assert np.allclose(found["log10_max_outputs"], [np.log10(np.abs(r).max()) for r in outputs], atol=rtol)


def test_the_threshold_of_saturation_is_a_setting():
    one = spec("tanh", "lecun_normal", 3.0, depth=4, width=40)
    layers, _ = run(one, batch=20, saturated_below=1 - 0.97**2)  # where |tanh| > 0.97
    outputs, _ = passes(one, 0, batch=20)
    shares = [(np.abs(r) > 0.97).mean() for r in outputs]
    assert np.allclose(layers["saturated_fraction"], shares, rtol=0, atol=1e-12) and min(shares) > 0.1


@pytest.mark.parametrize("chosen", CHOICES, ids=label)
def test_zero_from_layer_by_its_definition(chosen):
    specs = [spec(chosen, "lecun_normal", s, depth=d) for s, d in product((1e-60, 0.05, 1.0, 30.0), (1, 3, 40))]
    layers, networks = run(specs, 3)
    largest = {key: rows["log10_max_grad_preactivations"].to_numpy() for key, rows in layers.groupby("network")}
    for name, bits in {"float16": 25, "bfloat16": 134, "float32": 150, "float64": 1075}.items():
        for row in networks.itertuples():
            lost = [k for k, value in enumerate(largest[row.network], start=1) if value < -bits * np.log10(2)]
            found = getattr(row, f"zero_from_layer_{name}")
            assert (np.isnan(found) and not lost) or found == max(lost)


# Thinned ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record_layers, expected",
    [
        (None, {1: [1], 5: [1, 2, 3, 4, 5]}),
        (1, {1: [1], 5: [1]}),
        (3, {1: [1], 5: [1, 3, 5]}),
        (99, {1: [1], 5: [1, 2, 3, 4, 5]}),
        ((2, 4, 7), {1: [], 5: [2, 4]}),
    ],
)
def test_layers_that_are_recorded(record_layers, expected):
    assert {depth: recorded(depth, record_layers).tolist() for depth in expected} == expected


@pytest.mark.parametrize("record_layers", [2, 3, (1, 6), (4,), (50,)])
def test_thinned_rows_are_rows_of_the_whole(record_layers):
    """And `networks`, of all layers, does not change."""
    specs = [spec(a, depth=depth) for a in ("relu", "sigmoid") for depth in (1, 6, 7)]
    layers, networks = run(specs, 3)
    some, same = run(specs, 3, record_layers=record_layers)
    assert differing(some, layers, KEYS) == []
    pd.testing.assert_frame_equal(same, networks)
    wanted = {
        (n, k) for n, d in zip(networks["network"], networks["depth"], strict=True) for k in recorded(d, record_layers)
    }
    assert set(zip(some["network"], some["layer"], strict=True)) == wanted
