"""Side by side: contenders take turns in one process, A B C A B C …, so that a slow minute of the machine hits all."""

import gc
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.contenders import Contender
from benchmarks.grids import Grid

PATIENCE = 60.0  # seconds; whoever takes longer has FEWER runs
FEWER = 3


@dataclass
class Times:
    """Seconds of each run, and of compiling once before them."""

    processor: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    compiling: float = 0.0

    def over(self, other: "Times") -> float:
        """Median, over pairs of runs side by side, of processor seconds over another's."""
        return median(mine / theirs for mine, theirs in zip(self.processor, other.processor, strict=False))


def side_by_side(contenders: Sequence[Contender], grid: Grid, dtype: str, runs: int) -> dict[str, Times]:
    """Times by name."""
    times = {contender.name: Times() for contender in contenders}
    for contender in contenders:
        if contender.compile:
            times[contender.name].compiling = _seconds(lambda c=contender: c.compile(grid, dtype))[0]
    for i in range(runs):
        for contender in contenders:
            mine = times[contender.name]
            if i >= FEWER and max(mine.wall) > PATIENCE:
                continue
            processor, wall = _seconds(lambda c=contender: c.run(grid, dtype))
            mine.processor.append(processor)
            mine.wall.append(wall)
            print(
                f"{grid.name} {dtype} {i + 1}/{runs} {contender.name}: {processor:.2f} s of the processor, "
                f"{wall:.2f} s",
                file=sys.stderr,
                flush=True,
            )
    return times


def _seconds(run) -> tuple[float, float]:
    """Of the processor, all threads together, and of the clock."""
    gc.collect()  # the last one's rubbish is not this one's
    processor, wall = time.process_time(), time.perf_counter()
    run()
    return time.process_time() - processor, time.perf_counter() - wall
