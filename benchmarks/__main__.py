"""python -m benchmarks [--grids …] [--dtypes …] [--peers …] [--runs N] [--write]"""

from benchmarks import one_thread  # noqa: F401, I001  (before numpy)

import argparse
import sys
from collections.abc import Sequence

from threadpoolctl import threadpool_limits

from benchmarks import agreement, extremes, machine, memory, report, timing, underflow
from benchmarks.contenders import Contender, contenders, run_by_name
from benchmarks.grids import GRIDS, SMALL, Grid
from benchmarks.peers import PACKAGES, Peer, installed
from harness.execution.pools.worker import keep_freed_memory

DTYPES = ("float32", "float64")
CHOICES = {**GRIDS, SMALL.name: SMALL}
LARGE = 5000  # layers; from there on the peak memory is measured too


def main() -> None:
    given = arguments()
    keep_freed_memory()
    with threadpool_limits(limits=1):
        peers, missing = installed(given.peers)
        if missing:
            print(
                f"Not installed, so left out: {', '.join(missing)}. To compare with them: "
                f"{sys.executable} -m pip install {' '.join(missing)}",
                file=sys.stderr,
            )
        checked = [f"{peer.name} {agreement.largest_difference(peer):.0e}" for peer in peers]
        lines = [machine.line(), f"Medians of {given.runs} runs, taken in turn."]
        if checked:
            lines.append(f"Largest difference from the harness on the same networks in float64: {', '.join(checked)}.")
        text = "\n".join([" ".join(lines), *sections(given, peers)])
    print(text)
    if given.write:
        report.write(text)


def sections(given: argparse.Namespace, peers: Sequence[Peer]) -> list[str]:
    """A table a grid, where peers underflow, and the extremes."""
    lines: list[str] = []
    for grid in (CHOICES[name] for name in given.grids):
        everyone = contenders(peers, grid.normalisation != "none")
        result = {dtype: timing.side_by_side(everyone, grid, dtype, given.runs) for dtype in given.dtypes}
        peaks = peak_memory(given, grid, everyone) if max(grid.depths) >= LARGE else {}
        lines += ["", *report.table(grid, result, peaks)]
    if given.extras:
        lines += ["", *underflow.lines(peers, given.dtypes), "", *extremes.lines()]
    return lines


def peak_memory(given: argparse.Namespace, grid: Grid, everyone: Sequence[Contender]) -> dict[tuple[str, str], float]:
    """GB by (contender, dtype)."""
    return {
        (contender.name, dtype): memory.alone(run_by_name, contender.name, grid, dtype, given.peers)[1]
        for contender in everyone
        for dtype in given.dtypes
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The harness beside its peers.")
    named = {"grids": (CHOICES, GRIDS), "dtypes": (DTYPES, DTYPES), "peers": (PACKAGES, PACKAGES)}
    for what, (choices, default) in named.items():
        parser.add_argument(
            f"--{what}",
            nargs="*",
            choices=choices,
            default=list(default),
            metavar="NAME",
            help=f"of {', '.join(choices)} (default: {', '.join(default)})",
        )
    parser.add_argument("--runs", type=int, default=5, help="of each contender (default: 5); the table has medians")
    parser.add_argument(
        "--no-extras",
        dest="extras",
        action="store_false",
        help="tables alone: not where peers underflow, nor tiny and very deep networks",
    )
    parser.add_argument("--write", action="store_true", help=f"put it all into docs/{report.PATH.name}, too")
    given = parser.parse_args()
    if given.runs < 1:
        parser.error("--runs: at least one")
    return given


if __name__ == "__main__":
    main()
