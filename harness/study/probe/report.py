"""The report on a model: its tables, its findings and its figures, from a probe, a watched training or a folder."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan, log10, nan

import pandas as pd

from harness.base.arrays import ZERO_UNDER
from harness.base.numbers import number
from harness.base.text_table import Table
from harness.execution.probe.record import Recording
from harness.execution.probe.tables import layers_frame, networks_frame, zero_from
from harness.results.columns import Column
from harness.study.probe.findings import DECADES, Case, Finding
from harness.study.probe.judge import judge
from harness.study.probe.ledger import Ledger, ledger
from harness.study.probe.rules.flow import scale_of

OWN_NETWORKS = (
    Column("step", "", "Recorded step of training; 0 for a probe", "index"),
    Column("first", "", "Operation at whose result the attenuation ends", "record"),
    Column("last", "", "Operation at whose result it begins", "record"),
    Column("is_chain", "", "Whether every operation between them is on the trunk", "record"),
    Column("part_activation", "decades", "Sum of the factors of activations on the trunk", "record"),
    Column("part_weight", "decades", "Sum of the factors of weights on the trunk", "record"),
    Column("part_norm", "decades", "Sum of the factors of normalisations on the trunk", "record"),
    Column("part_rest", "decades", "The rest of the attenuation: residual blocks, operations without a row", "record"),
    Column("critical_sigma_w", "", "σ_w at which gradients keep their size; null where theory has none", "theory"),
)
SHOWN = 14  # rows of a table on the terminal; of more, the extreme ones
COLUMNS = {
    "module": "path",
    "operation": "op",
    "log10 ‖∂C/∂y‖": "log10_grad_result",
    "factor": "log10_factor",
    "dead units": "dead_fraction",
    "saturated": "saturated_fraction",
    "σ_w": "sigma_w",
}


@dataclass(frozen=True, eq=False)
class Report:
    """What was found of a model. `layers` has a row per call of an operation, `networks` one per recorded step."""

    name: str
    layers: pd.DataFrame
    networks: pd.DataFrame
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()  # of a watched training: steps that could not be recorded, and why

    @property
    def figures(self) -> dict[str, object]:
        """The figures, each a matplotlib Figure, by name."""
        from harness.figures.probe import FIGURES, drawn

        return {name: drawn(name, self.layers, self.networks) for name in FIGURES}

    @property
    def worst(self) -> Finding | None:
        return self.findings[0] if self.findings else None

    def table(self) -> Table:
        """The calls of operations of the last step: all of a small model, of a larger one the extreme ones."""
        rows = self.layers[self.layers["step"] == self.layers["step"].max()] if len(self.layers) else self.layers
        kept = rows[rows["kind"].isin(("weight", "activation", "norm", "attention", "recurrent", "other"))]
        note = "Factors are in decades: what the operation multiplies the norm of the gradient by."
        if len(kept) > SHOWN:
            kept = kept.loc[_extremes(kept)]
            note += f" {len(kept)} of {len(rows)} operations: the first and last, and the extreme ones."
        cells = [[_cell(row[column]) for column in COLUMNS.values()] for _, row in kept.iterrows()]
        return Table(f"{self.name}: {len(rows)} operations", tuple(COLUMNS), cells, note)

    def __str__(self) -> str:
        """The findings, one below the other."""
        lines = []
        for one in self.findings:
            lines.append(f"{one.severity} ({one.confidence}): {one.kind}\n  {one.sentence}")
            if one.remedy:
                lines.append(f"  change: {one.remedy}")
        empty = (
            "nothing was recorded"
            if self.layers.empty
            else "no finding: the gradient does not pass two weight operations"
        )
        return "\n".join([*lines, *self.notes]) or empty

    def _repr_html_(self) -> str:
        """The findings and the table, for a notebook."""
        items = "".join(
            f"<li><b>{html.escape(one.kind)}</b> ({one.severity}, {one.confidence}): {html.escape(one.sentence)}"
            + (f"<br><code>{html.escape(one.remedy)}</code>" if one.remedy else "")
            for one in self.findings
        )
        table = self.table()
        head = "".join(f"<th>{html.escape(column)}" for column in table.columns)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}" for cell in row) for row in table.rows)
        return (
            f"<h4>{html.escape(self.name)}</h4><ul>{items}</ul><table><tr>{head}{body}</table>"
            f"<p>{html.escape(table.note)}</p>"
        )


def report_of(
    name: str,
    recordings: Sequence[Recording],
    parts: Sequence[Recording] = (),
    in_float32: Recording | None = None,
) -> Report:
    """The report on recordings of one model. The findings are those of the last one; `parts` are parts of its batch."""
    found = judge(recordings[-1], parts, in_float32) if recordings else []
    return Report(name, *tables_of(name, recordings), tuple(found))


def tables_of(name: str, recordings: Sequence[Recording]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables `layers` and `networks` of recordings of one model."""
    rows = [_network(name, recording) for recording in recordings]
    return layers_frame(recordings, name), networks_frame(rows, OWN_NETWORKS)


def _network(name: str, recording: Recording) -> dict[str, object]:
    """The row of a recording in the table `networks`."""
    one = ledger(recording)
    scale = scale_of(recording, one)
    broken = next((row for row in recording.rows if row.result and not row.result.is_finite), None)
    return {
        "network": f"{name}-{recording.step}",
        "step": recording.step,
        "activation": scale.activation or None,
        "depth": one.depth,
        "sigma_w": scale.sigma_w,
        "log10_cost": log10(cost) if (cost := recording.cost) > 0 else -inf if cost == 0 else nan,
        "log10_gradient_gain": one.attenuation,
        "slope_per_layer": one.per_layer,
        "regime": regime(Case(recording, one)),
        "status": f"not finite from {broken.name} on" if broken else "ok" if recording.has_graph else "no graph",
        **{f"zero_from_layer_{name}": zero_from(recording, under) for name, under in ZERO_UNDER.items()},
        "critical_sigma_w": scale.critical if one.is_chain and "norm" not in one.parts else None,
        **_ledger_cells(one),
    }


def _ledger_cells(one: Ledger) -> dict[str, object]:
    parts = {f"part_{kind}": one.parts.get(kind) for kind in ("activation", "weight", "norm")}
    return {"first": one.first, "last": one.last, "is_chain": one.is_chain, **parts, "part_rest": one.rest}


def regime(case: Case) -> str | None:
    """vanishing, healthy or exploding, as in a sweep; dead where a layer is; None where the attenuation is unknown."""
    if any(row.slopes and row.slopes.mean == 0 for row in case.recording.of_kind("activation")):
        return "dead"
    value = case.ledger.attenuation
    if isnan(value):
        return None
    return "vanishing" if value < -DECADES else "exploding" if value > DECADES else "healthy"


def _extremes(rows: pd.DataFrame) -> list[int]:
    """The index of the first and last rows, and of those with extreme factors, dead or saturated units."""
    chosen = {*rows.index[:3], *rows.index[-3:]}
    for column in ("log10_factor", "log10_grad_result", "dead_fraction", "saturated_fraction"):
        known = rows[column].dropna().astype(float)
        if len(known):
            chosen |= {known.idxmin(), known.idxmax()}
    return sorted(chosen)


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None or pd.isna(value) else number(float(value), ".4g")  # type: ignore[arg-type]
