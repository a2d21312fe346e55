"""Training runs at learning rates tuned for each draw, and how claims compare them."""

import numpy as np
import pandas as pd

from harness.networks.training.recipe import RECIPE

OTHERS = [name for name in RECIPE if name != "learning_rate"]
LASTS = 0.05  # share by which the cost at an end of the axis is below its neighbour's, if it still falls there


def scheduled(frame: pd.DataFrame, step: int | None = None) -> pd.DataFrame:
    """The rows that were recorded by schedule: of one step, by default the last."""
    rows = frame[frame["reached"].isna()]
    return rows[rows["step"] == (rows["step"].max() if step is None else step)]


def with_ends(steps: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    """`steps` with the columns `input_width` and `output_width`, which only `networks` has."""
    ends = networks.set_index(networks["network"].astype(str))[["input_width", "output_width"]]
    return steps.assign(**{name: steps["network"].astype(str).map(ends[name]) for name in ends})


def tuned(steps: pd.DataFrame) -> pd.DataFrame:
    """The last row of each network and optimiser at the learning rate with the least validation cost.

    One row for each network, optimiser, clip and batch. The column `at_end` says whether that rate lies at an end of
    its axis and the cost still falls towards it, so that a better one may lie beyond.
    """
    last = scheduled(steps)
    cost = last["log10_cost_validation"].astype(float).fillna(np.inf)
    last = last.assign(tuned_by=cost, network=last["network"].astype(str))
    rows = []
    for _, runs in last.groupby(["network", *OTHERS], observed=True, sort=False, dropna=False):
        runs = runs.sort_values("learning_rate")
        best = int(runs["tuned_by"].to_numpy().argmin())
        rows.append(runs.iloc[[best]].assign(at_end=_falls_beyond(runs["tuned_by"].to_numpy(), best)))
    return pd.concat(rows).drop(columns="tuned_by")


def _falls_beyond(log10_costs: np.ndarray, best: int) -> bool:
    """Whether the best is an end of the axis and clearly better than its neighbour. It is not where all diverged."""
    if len(log10_costs) == 1 or 0 < best < len(log10_costs) - 1 or np.isinf(log10_costs[best]):
        return False
    neighbour = log10_costs[1 if best == 0 else -2]
    return bool(neighbour - log10_costs[best] > -np.log10(1 - LASTS))


def grown_at_cost(steps: pd.DataFrame) -> pd.DataFrame:
    """Rows where a cost of `training.reached` was reached: the first run of each activation, optimiser
    and draw.

    The column `grown` is log10 of ‖W‖²/‖W_0‖² there. Activation and optimiser are texts.
    """
    steps = steps.astype({"activation": str, "optimiser": str, "run": str})
    start = scheduled(steps, 0).set_index("run")["log10_norm_weights"]
    there = steps[steps["reached"].notna() & (steps["status"].astype(str) == "ok")].sort_values("step", kind="stable")
    first = there.groupby(["reached", "activation", "optimiser", "replicate"], sort=False).head(1)
    return first.assign(grown=2 * (first["log10_norm_weights"].to_numpy() - start.loc[first["run"]].to_numpy()))


def of_tuned(frame: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """The rows of `frame` that belong to the runs that were chosen."""
    return frame[frame["run"].astype(str).isin(set(chosen["run"].astype(str)))]


def paired(chosen: pd.DataFrame, column: str, between: str, one: str, other: str) -> np.ndarray:
    """Differences one − other of a column, replicate by replicate; NaN where a rate lies at an end of its axis.

    `between` is the coordinate that has the values `one` and `other`; a replicate has one row of each.
    """
    values = chosen.assign(value=chosen[column].astype(float).where(~chosen["at_end"]))
    table = values.assign(side=values[between].astype(str)).pivot(index="replicate", columns="side", values="value")
    return (table[one] - table[other]).to_numpy()
