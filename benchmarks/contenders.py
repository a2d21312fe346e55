"""Whoever is timed: the harness, each peer, and the bare products and draws that nobody can do without."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks import limit
from benchmarks.grids import Grid
from benchmarks.peers import Peer, installed
from harness.engine.lanes.groups import Settings
from harness.execution.block import run_block
from harness.execution.planning.plan import plan
from harness.execution.pools.worker import keep_freed_memory
from harness.networks.data import DataSpec
from harness.networks.spec import NetworkSpec

HARNESS, LIMIT, PLAIN = "harness", "bare products and draws", "harness, networks without normalisation"


@dataclass(frozen=True)
class Contender:
    """`run(grid, dtype)` is what is timed; `compile`, before, is timed apart."""

    name: str
    run: Callable[[Grid, str], None]
    compile: Callable[[Grid, str], None] | None = None


def contenders(peers: Sequence[Peer], normalised: bool = False) -> list[Contender]:
    """Of plain networks, or of normalised ones, which not every peer runs."""
    if not normalised:
        return [Contender(LIMIT, limit.run), Contender(HARNESS, _harness), *map(_of_peer, peers)]
    able = (_of_peer(peer) for peer in peers if peer.normalises)
    return [Contender(PLAIN, lambda grid, dtype: _harness(grid.plain, dtype)), Contender(HARNESS, _harness), *able]


def run_by_name(name: str, grid: Grid, dtype: str, peers: Sequence[str]) -> None:
    """One of the contenders once; names, unlike functions made here, can be sent to another process."""
    keep_freed_memory()
    (chosen,) = (contender for contender in contenders(installed(peers)[0]) if contender.name == name)
    chosen.run(grid, dtype)


def settings(dtype: str, batch: int) -> Settings:
    return Settings(0, DataSpec(batch=batch), "squared", dtype, 3.0)


def run_harness(specs: Sequence[NetworkSpec], settings: Settings, replicates: int = 1) -> None:
    """As a sweep runs it, all columns, tables made and let go of."""
    for planned in plan(specs, settings, replicates).blocks:
        run_block(planned.block, settings)


def _harness(grid: Grid, dtype: str) -> None:
    run_harness(grid.specs, settings(dtype, grid.batch))


def _of_peer(peer: Peer) -> Contender:
    def run(grid: Grid, dtype: str) -> None:
        with peer.around():
            for stack in grid.stacks():
                peer.record(stack, peer.draw(stack, dtype))

    def compile(grid: Grid, dtype: str) -> None:
        for stack in grid.stacks():
            peer.compile(stack, dtype)

    return Contender(peer.name, run, compile if peer.compile else None)
