"""`harness.watch`: the gradients of a model while a user's own loop trains it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pandas as pd

from harness.base.errors import ConfigError
from harness.execution.probe.record import Recording
from harness.study.probe.folder import save
from harness.study.probe.judge import judge
from harness.study.probe.probe import require_torch
from harness.study.probe.report import Report, tables_of

if TYPE_CHECKING:
    import torch

PENDING_ROWS = 2000  # of recordings, 3 kB each


class watch:
    """Record every `every`-th forward pass of a model, with the backward pass that follows it.

    Put the training loop, unchanged, into `with harness.watch(model, every=100) as watched:`; `watched.report` is the
    report on the steps so far, and `out` a folder that it is written to at the end.

    A step is a call of the model in training mode. The training is bit for bit what it would be without. An error of
    the recorder ends the recording with a warning, never the training. Under a loss scale, gradients have that scale.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        every: int = 100,
        *,
        name: str | None = None,
        out: str | os.PathLike | None = None,
    ) -> None:
        require_torch("harness.watch")
        from harness.execution.probe.watch import Watcher

        if not (isinstance(every, int) and every > 0):
            raise ConfigError(f"every: {every!r} is not a number of steps; give 1 or more")
        self.name, self.every, self.out = name or type(getattr(model, "_orig_mod", model)).__name__, every, out
        self._watcher = Watcher(model, every, self._keep)
        self._pending: list[Recording] = []  # not yet in tables: frames of many rows are made faster than many frames
        self._tables: list[tuple[pd.DataFrame, pd.DataFrame]] = []  # of each recorded step
        self._last: Recording | None = None

    def __enter__(self) -> watch:
        self._watcher.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._watcher.stop()
        if self.out is not None:
            save(self.report, self.out, {"every": self.every, "steps": self._watcher.calls})

    @property
    def report(self) -> Report:
        """The report on the steps so far; its findings are those of the last one."""
        notes = tuple(self._watcher.notes)
        self._tabulate()
        if self._last is None:
            return Report(self.name, *tables_of(self.name, ()), (), notes)
        layers, networks = (
            pd.concat([table.astype(object) for table in tables], ignore_index=True).infer_objects()
            for tables in zip(*self._tables, strict=True)
        )
        return Report(self.name, layers, networks, tuple(judge(self._last)), notes)

    def _keep(self, recording: Recording) -> None:
        """Keep a step, and of the last one its counts of exponents, too."""
        self._pending.append(recording)
        self._last = recording
        if sum(len(one.rows) for one in self._pending) > PENDING_ROWS:
            self._tabulate()

    def _tabulate(self) -> None:
        """Put the recordings that are not yet in tables into tables."""
        if self._pending:
            self._tables.append(tables_of(self.name, self._pending))
            self._pending = []
