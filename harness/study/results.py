"""The results of a sweep: its tables, and the figures, the summary and the verdicts made from them."""

import json
import os
import re
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harness import figures
from harness.base.arrays import Array, evenly_spaced
from harness.base.errors import ConfigError, HarnessError, ResultsError
from harness.base.messages import close_match, remedy, shown
from harness.base.text_table import Table
from harness.results.files import write_json
from harness.results.folder import CLAIMS, FIGURES, NETWORKS, is_probe, require_text
from harness.results.parts import read_table
from harness.results.reader import Reader, among_own
from harness.results.rows import Batch, Layers, over_layers, take
from harness.results.tables import recorded
from harness.results.training.tuning import with_ends
from harness.study import claims, summary
from harness.study.own.given import own_parts
from harness.study.own.of_results import own_of_results
from harness.study.questions import Question
from harness.study.verdicts import from_json, table, to_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPARK_LAYERS = 16  # bars of a spark line


@dataclass(frozen=True)
class Results(Reader):
    """The results of a sweep in a folder: the tables, and the figures, summary and verdicts made from them."""

    def _repr_html_(self) -> str:
        """The summary and the verdicts, as a notebook shows them."""
        written = table(f"Claims of {self.sweep.name}", self.verdicts())
        return "".join(shown._repr_html_() for shown in (*self.summary(), written) if shown)

    def draw(self, names: Sequence[str] | None = None, appearance: figures.Appearance = figures.USUAL) -> list[Path]:
        """Draw figures into the folder: those named, or those of the config as run, or all that apply.

        Returns the files. Raises HarnessError that names the figures that failed, once all others are drawn.
        """
        drawn, failed = self.draw_each(names, appearance)
        if failed:
            raise HarnessError("\n".join(failed))
        return drawn

    @among_own
    def draw_each(
        self, names: Sequence[str] | None = None, appearance: figures.Appearance = figures.USUAL
    ) -> tuple[list[Path], list[str]]:
        """Draw as `draw` does. Returns the files, and a line for each figure that failed.

        Where no figures are named, files of figures that the config does not ask for are removed.
        """
        self.require_unchanged()
        drawn: list[Path] = []
        failed: list[str] = []
        reasons = self._reasons_against(names)
        for name in [name for name, reason in reasons.items() if reason is None]:
            try:
                drawn += figures.save(name, *self._tables_of(name), self.path / FIGURES, appearance)
            except (ResultsError, ConfigError):
                raise  # the tables cannot be read, or no figure can look so: no other one can be drawn either
            except Exception as error:
                failed.append(f"figure {name} is not drawn: {_described(error)}")
        if names is None:
            self._remove_others([name for name, reason in reasons.items() if reason is None])
        return drawn, failed

    @among_own
    def figure(self, name: str, width: float | None = None, **appearance: Any) -> "Figure":
        """A figure as matplotlib's `Figure`, to go on with.

        `width` is in inches; `style`, a style file of matplotlib, and `colours`, a mapping from activations to colours,
        change the look. Raises ConfigError for an unknown name, ResultsError where the figure shows nothing of these
        networks.
        """
        (reason,) = self._reasons_against([name]).values()
        if reason:
            raise ResultsError(f"{self.path}: figure {name} is not drawn: {reason}")
        look = figures.Appearance(width=width, **appearance)
        return figures.draw(name, *self._tables_of(name), look)

    def _remove_others(self, names: Sequence[str]) -> None:
        """Remove the files of figures that are not among these; other files stay."""
        for name in figures.FIGURES.keys() - set(names):
            for form in figures.FORMATS:
                (self.path / FIGURES / f"{name}.{form}").unlink(missing_ok=True)

    @among_own
    def not_drawn(self, names: Sequence[str] | None = None) -> list[str]:
        """A line with the reason for each figure that is named, here or by the config, but has nothing to show."""
        named = (self.sweep.figures if names is None else names) or ()
        return [
            f"figure {name} is not drawn: {reason}"
            for name, reason in self._reasons_against(names).items()
            if reason and name in named
        ]

    @among_own
    def summary(self, where: str | None = None) -> list[Table]:
        """The summary tables: of all networks, or of those that meet a condition such as "depth == 64".

        Raises ResultsError for a condition that cannot be evaluated or that no network meets.
        """
        networks = self._chosen(where)
        dead = over_layers(self.rows, networks, ["dead_fraction"])[0]["dead_fraction"]
        slopes = summary.summary(networks, dead, self.sweep.data.batch, self.sweep.cost)
        if self.sweep.record_layers is not None:
            slopes = replace(slopes, note=f"{slopes.note} Dead units: of the hidden layers that are recorded.")
        levels = summary.levels(networks, drawn_inputs=self.sweep.data.inputs == "gaussian")
        tables = [slopes, levels, summary.paired(figures.paired(networks)), summary.troubles(networks)]
        return [table for table in tables if table]

    @among_own
    def glance(self, where: str | None = None) -> Table | None:
        """A row for each setting with a spark line of what is left of the gradient; `where` is that of `summary`.

        None for networks of one layer, and where their output layer was not recorded.
        """
        networks = self._chosen(where)
        depth = int(networks["depth"].max())
        there = recorded(depth, self.sweep.record_layers)
        if depth not in there:
            return None
        layers = evenly_spaced(there, SPARK_LAYERS)

        def drawn(batch: Batch) -> Array:
            return np.isin(batch.layer, layers)

        deep = networks[networks["depth"] == depth].reset_index(drop=True)
        return summary.glance(networks, take(self.rows, deep, ["log10_grad_preactivations"], [depth], drawn))

    @among_own
    def judge(self, question: Question | None) -> list[claims.Verdict]:
        """Judge the claims of a question and write the verdicts to claims.json. Without a question the file is removed.

        Claims are undecided where record_layers left out layers. Raises HarnessError where a claim's code fails.
        """
        self.require_unchanged()
        if question is None:
            (self.path / CLAIMS).unlink(missing_ok=True)  # of a question that the config no longer names
            return []
        verdicts = [self._verdict(claim) for claim in question.claims_of(self.sweep.name)]
        said = {"question": question.sentence, "answer": self._answer}
        write_json(self.path / CLAIMS, said | {"claims": to_json(verdicts)})
        return verdicts

    def question(self) -> str:
        """The sentence of the question as it was judged; the name of the sweep where it asks none."""
        return str(self._judged.get("question", f"The sweep {self.sweep.name}"))

    def answer(self) -> str:
        """The answer in a sentence, as it was judged; made from the tables where it was not."""
        return str(self._judged.get("answer", self._answer))

    def verdicts(self) -> list[claims.Verdict]:
        """The verdicts in claims.json; none where there is no such file. Raises ResultsError for a damaged one."""
        try:
            return from_json(self._judged["claims"]) if self._judged else []
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self._unreadable() from None

    @property
    def _judged(self) -> dict:
        """The content of claims.json; empty where there is no such file. Raises ResultsError for a damaged one."""
        try:
            found = json.loads((self.path / CLAIMS).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError):
            raise self._unreadable() from None
        if not isinstance(found, dict):
            raise self._unreadable()
        return found

    def _unreadable(self) -> ResultsError:
        return ResultsError(f"{self.path / CLAIMS}: cannot be read; run the sweep again to replace it")

    def _verdict(self, claim: claims.Claim) -> claims.Verdict:
        if self.sweep.record_layers is None:
            return claims.judge(claim, self)
        return claims.undecided(claim, "record_layers leaves out layers that it speaks of")

    @cached_property
    def _answer(self) -> str:
        factors = over_layers(self.rows, self._plotted_networks, ["log10_activation_factor"])[0]
        return summary.answer(self._plotted_networks, factors)

    @cached_property
    def _plotted_networks(self) -> pd.DataFrame:
        """One row per network, with the columns that figures and summary take."""
        return read_table(self.parts[NETWORKS], figures.COLUMNS)

    def _chosen(self, where: str | None) -> pd.DataFrame:
        """The networks that meet a condition; all of them without one."""
        return self._plotted_networks if where is None else matching(self.networks, where)

    def _tables_of(self, figure: str) -> tuple[Layers, pd.DataFrame]:
        """What a figure takes: rows of layers or of layers at the steps of training, and the networks or the steps.

        The networks have the batch size, the cost, and W, x and y for figures of neurons; the steps have the widths at
        both ends.
        """
        if figures.needs_training(figure):
            return self.step_layers, with_ends(self.steps, self._plotted_networks)
        networks = self.neurons if figures.needs_neurons(figure) else self._plotted_networks
        return self.rows, networks.assign(batch=self.sweep.data.batch, cost=self.sweep.cost)

    def _reasons_against(self, names: Sequence[str] | None = None) -> dict[str, str | None]:
        """The figures that are asked for, or all, each with the reason why it is not drawn; None if it is drawn."""
        names = self.sweep.figures if names is None else names
        networks = self._plotted_networks.assign(batch=self.sweep.data.batch)
        require_figures(names or ())
        trained = networks if self.sweep.training is None else self.steps
        reasons = {
            name: figures.applies(name, trained if figures.needs_training(name) else networks)
            for name in (figures.FIGURES if names is None else names)
        }
        if self.sweep.record_layers is not None:
            reasons |= {
                name: "needs every layer, and record_layers leaves some out"
                for name in reasons
                if figures.needs_every_layer(name)
            }
        return reasons


def _described(error: Exception) -> str:
    """An error in one line; one of our own code with its place."""
    if isinstance(error, HarnessError):
        return str(error)
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    reason = " ".join(str(error).split())
    return f"{type(error).__name__}: {reason} ({Path(frame.f_code.co_filename).name}, line {line})"


def require_figures(names: Sequence[str], place: Callable[[str], str] = str) -> None:
    """Raises ConfigError that names each figure that does not exist. `place` gives the place of a key in the config."""
    unknown = [
        f"{place(f'figures[{i}]')}: there is no figure {name!r}; {remedy(name, figures.FIGURES)}"
        for i, name in enumerate(names)
        if name not in figures.FIGURES
    ]
    if unknown:
        raise ConfigError(*unknown)


def matching(networks: pd.DataFrame, where: str) -> pd.DataFrame:
    """The networks that meet a condition on their columns. Raises ResultsError where none does, or it is none."""
    columns = ", ".join(networks.columns)
    example = "write for example \"depth == 64 and activation == 'relu'\""
    try:
        holds = networks.eval(where, engine="python", local_dict={}, global_dict={})
    except NameError as error:
        name = str(error).split("'")[1]
        known = close_match(name, networks.columns)
        how = f"did you mean {known!r}?" if known else f"if it is a value, quote it; the columns are {columns}"
        raise ResultsError(f"--where {where!r}: there is no column {name!r}; {how}") from None
    except Exception as error:  # of any type: pandas evaluates what the user wrote
        raise ResultsError(f"--where {where!r}: {' '.join(str(error).split())}; {example}") from None
    if not isinstance(holds, pd.Series) or holds.dtype != bool:
        raise ResultsError(f"--where {where!r}: not a condition; {example}")
    if not holds.any():
        named = [name for name in networks.columns if re.search(rf"\b{name}\b", where)]
        there = [f"{name} is {', '.join(map(str, networks[name].unique()[:12]))}" for name in named]
        raise ResultsError(f"--where {where!r}: no networks; {'; '.join(there) or f'the columns are {columns}'}")
    return networks[holds]


def load(path: str | os.PathLike, **own: Iterable[object]) -> Results:
    """The results in a folder that `harness sweep` wrote. Raises ResultsError where there are none.

    `own` are parts of the user's own, `activations`, `inits`, `measures` and `figures`, as `harness.sweep` takes them;
    those of a question are found in its file.
    """
    if not isinstance(path, str | os.PathLike):
        raise ResultsError(f"{shown(path)} is not a folder; give the path of one that `harness sweep` wrote")
    path = Path(path)
    require_text(path)
    if is_probe(path):
        raise ResultsError(f"{path}: results of a probe; read them with harness.probe_results, or show, plot and diff")
    if not (path / "config.yaml").is_file():
        raise ResultsError(f"{path}: no results here (no config.yaml); give the folder that `harness sweep` wrote")
    return Results(path, own_of_results(path, own_parts("load", **own)))
