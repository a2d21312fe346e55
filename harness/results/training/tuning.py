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
    """The rows where a cost of `training.reached` was first reached, one of each activation, optimiser and draw.

    The row is that of the learning rate that took the fewest steps, and `at_end` says of it what `tuned` says of the
    validation cost: whether it lies at an end of its axis and the number of steps still falls towards that. The column
    `grown` is log10 of ‖W‖²/‖W_0‖². Activation and optimiser are texts.
    """
    steps = steps.astype({"activation": str, "optimiser": str, "run": str})
    start = scheduled(steps, 0).set_index("run")["log10_norm_weights"]
    there = steps[steps["reached"].notna() & (steps["status"].astype(str) == "ok")].sort_values("step", kind="stable")
    of_draw = ["activation", "optimiser", "replicate"]
    axes = steps.groupby(of_draw)["learning_rate"].unique()
    groups = there.groupby(["reached", *of_draw], sort=False)
    ends = [_fastest_at_end(runs, axes[tuple(draw)]) for (_, *draw), runs in groups]
    first = groups.head(1)
    grown = 2 * (first["log10_norm_weights"].to_numpy() - start.loc[first["run"]].to_numpy())
    return first.assign(grown=grown, at_end=np.array(ends, dtype=bool))


def _fastest_at_end(runs: pd.DataFrame, rates: np.ndarray) -> bool:
    """Whether the number of steps that these runs took falls towards an end of the axis of rates; ∞ of all others."""
    taken = runs.groupby("learning_rate")["step"].min().astype(float).reindex(np.sort(rates), fill_value=np.inf)
    log10_steps = np.log10(taken.clip(lower=1).to_numpy())  # a cost may be reached at step 0
    return _falls_beyond(log10_steps, int(log10_steps.argmin()))


def of_tuned(frame: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """The rows of `frame` that belong to the runs that were chosen."""
    return frame[frame["run"].astype(str).isin(set(chosen["run"].astype(str)))]


def best_over_rates(steps: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows of `tuned` with the largest value of a column over all learning rates; a run that diverged counts as 0.

    For claims that something is reached at no rate. NaN where the validation cost still falls towards an end of the
    axis, beyond which there may be a rate that reaches it.
    """
    chosen = tuned(steps)
    groups = ["network", *OTHERS]
    last = scheduled(steps).astype({"network": str}).assign(best=lambda rows: rows[column].fillna(0.0))
    best = last.groupby(groups, observed=True, dropna=False)["best"].max().reset_index()
    return known(chosen.drop(columns=column).merge(best.rename(columns={"best": column}), on=groups), column)


def known(chosen: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows of `tuned`, with NaN in a column where the rate lies at an end of its axis."""
    return chosen.assign(**{column: chosen[column].astype(float).where(~chosen["at_end"])})


def note_of_ends(chosen: pd.DataFrame) -> str:
    """How many of these rates lie at an end of their axis, as the note of a case; empty for none."""
    return f"{count} best rates at an end of the axis" if (count := int(chosen["at_end"].sum())) else ""


def paired(chosen: pd.DataFrame, column: str, between: str, one: str, other: str) -> np.ndarray:
    """Differences one − other of a column, replicate by replicate; NaN where a rate lies at an end of its axis.

    `between` is the coordinate that has the values `one` and `other`; a replicate has one row of each.
    """
    values = known(chosen, column).assign(side=chosen[between].astype(str))
    table = values.pivot(index="replicate", columns="side", values=column)
    return (table[one] - table[other]).to_numpy()
