"""Write docs/cases.md: public exercises as configs, what their authors saw, and what the harness says of each.

Run it from the checkout, `make cases`; it takes a minute. The numbers of the page are those of the configs' own seeds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

import harness

HERE = Path(__file__).parent
CONFIGS = HERE.parent / "configs" / "cases"
PAGE = HERE / "cases.md"
HEAD = """# Public cases

Exercises from lectures, books and forums, each as a config of a few lines under `configs/cases/`, what its author saw,
and what the harness says. `make cases` writes this page.

"""


@dataclass(frozen=True)
class Case:
    """A public exercise: the config's name, what its author saw, what is measured, and what differs."""

    name: str
    seen: str
    measured: Callable[[harness.Results], str]
    difference: str


def _by_layer(results: harness.Results, column: str) -> pd.DataFrame:
    """A column with a row for each network and a column for each layer."""
    return results.layers.pivot_table(index="network", columns="layer", values=column, observed=True)


def _first(column: str, layers: int, form: str) -> Callable[[harness.Results], str]:
    def measured(results: harness.Results) -> str:
        return ", ".join(f"{value:{form}}" for value in _by_layer(results, column).median()[:layers])

    return measured


def _linear(results: harness.Results) -> str:
    layers = results.networks["infinite_from_layer_float32"]
    return f"{_first('std_outputs', 2, '.3g')(results)}; float32 overflows at layer {layers.min()}"


def _products(results: harness.Results) -> str:
    last = _by_layer(results, "log10_rms_outputs").iloc[:, -1]
    return f"10^{last.mean():.1f} ± {last.std():.1f}"


def _factor(results: harness.Results) -> str:
    return f"factor {10 ** -results.networks['slope_per_layer'].median():.3g} a layer"


def _selu(results: harness.Results) -> str:
    slopes = results.networks.groupby("init", observed=True)["slope_per_layer"].median()
    return "; ".join(f"{label}: {slope:+.4f} decades a layer" for label, slope in slopes.items())


def _ratio(column: str, above: int, below: int) -> Callable[[harness.Results], str]:
    def measured(results: harness.Results) -> str:
        values = _by_layer(results, column)
        low, middle, high = np.quantile(10 ** (values[above] - values[below]), (0.1, 0.5, 0.9))
        return f"{_written(middle)} (8 of 10 draws: {_written(low)} to {_written(high)})"

    return measured


def _written(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2f}"


def _dead(results: harness.Results) -> str:
    return f"{results.networks['dead_from_layer'].notna().mean():.3f}"


CASES = (
    Case("tanh_std_001", "std of outputs .213, .0476, .0106, …", _first("std_outputs", 3, ".3g"), "none"),
    Case(
        "linear_std_1",
        "std of outputs 16.0, 256, …, then nan",
        _linear,
        "one draw in place of four; the layer of the nan is given",
    ),
    Case("products_4x4", "10^24.2 ± 1.7", _products, "within the spread over draws: one draw tells little"),
    Case("sigmoid_defaults", "factor 7.1 a layer", _factor, "none"),
    Case(
        "selu_gain",
        "gain ¾ is called more stable; 1 keeps variance 1",
        _selu,
        "neither holds the gradient exactly: ¾ loses what 1 gains, at each layer",
    ),
    Case(
        "nielsen_30_30",
        "the first hidden layer's gradient is 0.07 / 0.31 = 0.23 of the second's",
        _ratio("log10_grad_biases", 1, 2),
        "one draw of the author's, of 28×28 pixels; the spread over draws holds it nearly",
    ),
    Case(
        "dead_at_birth",
        ".88",
        _dead,
        "ten layers, of which nine are hidden; with ten hidden ones it is 0.904. Inputs are drawn from another law",
    ),
    Case(
        "classifier_cross_entropy",
        "the last layer's gradient is 936 times the first's",
        _ratio("log10_grad_weights", 5, 1),
        "the width is not given, and matters; here 64",
    ),
    Case(
        "classifier_squared",
        "about 1,800 times",
        _ratio("log10_grad_weights", 5, 1),
        "larger than under the cross-entropy, as its author saw, and here by more: the output's sigmoid and the width "
        "are not given",
    ),
)


def answer(case: Case) -> str:
    """What the harness says: the case's sweep is run in a folder that is then removed."""
    with TemporaryDirectory() as folder:
        return case.measured(harness.sweep(CONFIGS / f"{case.name}.yaml", out=Path(folder) / case.name, workers=1))


def section(case: Case, said: str) -> str:
    """A case as the page has it; its config's first comment says whose exercise it is."""
    lines = (CONFIGS / f"{case.name}.yaml").read_text(encoding="utf-8").splitlines()[1:]
    source, config = lines[0].removeprefix("# "), "\n".join(f"    {line}" for line in lines[1:])
    rows = (("its author saw", case.seen), ("harness says", said), ("difference", case.difference))
    table = "\n".join(f"| {what} | {text} |" for what, text in rows)
    return f"## `{case.name}`\n\n{source}\n\n{config}\n\n| | |\n|---|---|\n{table}\n"


if __name__ == "__main__":
    PAGE.write_text(HEAD + "\n".join(section(case, answer(case)) for case in CASES), encoding="utf-8")
