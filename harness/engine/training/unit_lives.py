"""Units that are born dead, die, or revive: a unit is dead where it passes no gradient for any row it is trained on."""

import numpy as np

from harness.base.arrays import Array


class UnitLives:
    """Counts of units for each run and layer, (runs, depth); NaN for layers whose activation has no silent units.

    `died` and `revived` count the changes between looks, so born + died − revived units are dead at the last one.
    """

    def __init__(self, runs: int, depth: int) -> None:
        shape = runs, depth
        self.born, self.died, self.revived = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
        self._dead: dict[int, list[Array | None]] = {}

    def look(self, run: int, dead: list[Array | None]) -> None:
        """Count the changes of one run since the last look. `dead`: which units are dead in each layer, (units,)."""
        before = self._dead.get(run, [None] * len(dead))
        for k, (units, were) in enumerate(zip(dead, before, strict=True)):
            if units is None:
                continue
            if were is None:
                self.born[run, k], self.died[run, k], self.revived[run, k] = np.count_nonzero(units), 0, 0
            else:
                self.died[run, k] += np.count_nonzero(units & ~were)
                self.revived[run, k] += np.count_nonzero(were & ~units)
        self._dead[run] = dead
