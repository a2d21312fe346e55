"""Before anything is timed: on the same weights and data, in float64, every peer records what the harness records."""

from dataclasses import replace

import numpy as np

from benchmarks.contenders import settings
from benchmarks.grids import SMALL, Stack
from benchmarks.peers import COLUMNS, Columns, Peer
from harness.execution.block import run_block
from harness.execution.planning.plan import plan
from harness.networks.data import draw_batch
from harness.networks.draws import draw_parameters

TOLERANCE = 1e-9  # of decades and of shares; rounding over nine layers leaves 1e-14


def largest_difference(peer: Peer) -> float:
    """Over every column of every layer of SMALL. Raises SystemExit where the peer computes something else."""
    kinds = ("none", "batch", "layer") if peer.normalises else ("none",)
    grids = [replace(SMALL, normalisation=kind) for kind in kinds]
    found = [pair for grid in grids for stack in grid.stacks() for pair in _differences(peer, stack)]
    column, difference = found[int(np.argmax([difference for _, difference in found]))]  # a nan first
    if not difference <= TOLERANCE:
        raise SystemExit(f"{peer.name}: {column} differs by {difference:.2g} from the harness's; not the same networks")
    return difference


def _differences(peer: Peer, stack: Stack) -> list[tuple[str, float]]:
    weights = np.array([draw_parameters(spec, 0, 0)[0] for spec in stack.specs])  # (networks, depth, n, n)
    data = settings("float64", stack.batch).data
    x, y = (array[0] for array in draw_batch(data, 0, [0], stack.width, stack.width))
    theirs, ours = peer.record(stack, peer.given(stack, weights, x, y)), harness_columns(stack)
    of_rounding = {"log10_grad_biases"} if stack.normalisation == "batch" else set()  # below it, their gradient is 0
    return [(name, float(np.abs(theirs[name] - ours[name]).max())) for name in COLUMNS if name not in of_rounding]


def harness_columns(stack: Stack) -> Columns:
    """What the harness records of a stack's networks, in their order."""
    how = settings("float64", stack.batch)
    (planned,) = plan(stack.specs, how, 1).blocks
    layers = run_block(planned.block, how).layers.to_pandas()
    networks = [layers[layers["network"] == spec.network(0)].sort_values("layer") for spec in stack.specs]
    return {name: np.array([network[name] for network in networks]) for name in COLUMNS}
