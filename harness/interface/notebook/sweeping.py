"""`harness.sweep` as Python calls it: in a notebook, a progress bar below the cell."""

import time
from functools import wraps
from typing import Any

from harness.execution.dispatch import Progress, Report
from harness.interface.terminal import line_of
from harness.study import sweep as study
from harness.study.results import Results

SECONDS = 0.5  # between two updates; a notebook keeps each as a message


@wraps(study.sweep)
def sweep(given: study.Config, **options: Any) -> Results:
    """Run a sweep as `study.sweep.sweep` does. A `report` of the caller's takes the place of the bar."""
    return study.sweep(given, **{"report": bar_below_cell(), **options})


def bar_below_cell() -> Report | None:
    """A function that shows each `Progress` as a bar below the cell that runs; None where no notebook runs."""
    from rich.console import Console

    if not Console().is_jupyter:
        return None
    return _Bar().report


class _Bar:
    """A bar of rich's, shown by the notebook itself: a live display of rich's would need ipywidgets."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(BarColumn(), TextColumn("{task.description}"))
        self.task = self.bar.add_task("", total=1.0)
        self.started = self.updated = time.monotonic()
        self.shown: Any = None

    def report(self, progress: Progress) -> None:
        """Update the bar, unless it was just updated; what ends before the first update shows none."""
        now = time.monotonic()
        if now - self.updated < SECONDS and (self.shown is None or progress.work < 1):
            return
        self.updated = now
        self.bar.update(self.task, completed=progress.work, description=line_of(progress, now - self.started))
        if self.shown is None:
            from IPython.display import display

            self.shown = display(self.bar, display_id=True)
        else:
            self.shown.update(self.bar)
