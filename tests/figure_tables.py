"""Small result tables, made by hand, for the tests of figures."""

import numpy as np
import pandas as pd

from harness.figures import COLUMNS, FIGURES

# figures that want tables of their own
OF_ONE_QUESTION = (
    "finite_width",
    "born_dead",
    "silent_units",
    "step_at_zero",
    "single_neuron",
    "edges_at_width",
    "every_draw",
    "remedies",
    "block_shares",
    *(name for name, entry in FIGURES.items() if entry.folder == "training"),
)
USUAL = [name for name in FIGURES if name not in OF_ONE_QUESTION]
FORMATS = ("float16", "bfloat16", "float32", "float64")
FACTORS = ["log10_activation_factor", "log10_weight_factor"]


def sweep(activations=("relu", "sigmoid"), inits=("he_normal",), scales=(1.0,), depths=(4,), replicates=3, **constant):
    """Tables as a sweep leaves them, with a ledger that telescopes; numbers are random but keyed."""
    axes = {
        "activation": activations,
        "init": inits,
        "weight_scale": scales,
        "depth": depths,
        "replicate": range(replicates),
    }
    networks = pd.MultiIndex.from_product(axes.values(), names=axes.keys()).to_frame(index=False)
    networks.insert(0, "network", [f"n{i}" for i in range(len(networks))])
    same = {"bias_scale": 0.0, "width": 8, "input_width": 8, "output_width": 8, "output": "activation"}
    same |= {"sigma_w": 2**0.5, "sigma_b": 0.0}
    same |= {"family": "normal", "status": "ok", "dead_from_layer": np.nan}
    same |= {f"zero_from_layer_{name}": np.nan for name in FORMATS}
    networks = networks.assign(**(same | constant))
    layers = networks.loc[networks.index.repeat(networks["depth"]), ["network", *axes]].reset_index(drop=True)
    layers["layer"] = layers.groupby("network", sort=False).cumcount() + 1
    random = np.random.default_rng(5)
    for name in ("log10_grad_weights", *FACTORS):
        layers[name] = random.normal(-0.2, 0.1, len(layers))
    for name in ("dead_fraction", "saturated_fraction"):
        layers[name] = random.uniform(0, 0.5, len(layers))
    ledger = layers[FACTORS[0]].where(layers["layer"] < layers["depth"], 0) + layers[FACTORS[1]].where(
        layers["layer"] > 1, 0
    )
    networks["log10_gradient_gain"] = ledger.groupby(layers["network"], sort=False).sum().to_numpy()
    networks["slope_per_layer"] = networks["log10_gradient_gain"] / (networks["depth"] - 1).where(networks["depth"] > 1)
    networks["predicted_slope_per_layer"] = networks["slope_per_layer"] + random.normal(0, 0.02, len(networks))
    networks["predicted_spread"] = 0.02 + 0 * networks["slope_per_layer"]
    networks = networks[[name for name in networks if name in COLUMNS or name in constant]]
    categories = {name: "category" for name in ("network", "activation", "init")}
    return layers.astype(categories), networks.astype({"activation": "category", "init": "category"})


def kill(layers, networks, which, what="dead"):
    """The same tables with these networks dead from layer 2, or left by an overflow."""
    layers, networks, names = layers.copy(), networks.copy(), networks.loc[which, "network"]
    rows = layers["network"].isin(names)
    measured = list(layers.columns[list(layers.columns).index("layer") + 1 :])
    networks.loc[which, ["log10_gradient_gain", "slope_per_layer"]] = np.nan
    if what == "dead":
        networks.loc[which, "dead_from_layer"] = 2
        layers.loc[rows, "log10_grad_weights"] = -np.inf
        layers.loc[rows & (layers["layer"] <= 2), FACTORS] = np.nan
    else:
        networks.loc[which, "status"] = "the forward pass overflows at layer 2"
        layers.loc[rows, measured] = np.nan
    return layers, networks
