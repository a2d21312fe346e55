"""Both passes of a group of lanes, in chunks of lanes and depths that fit into the cache."""

from collections.abc import Callable, Iterator
from functools import partial

from harness.engine import remedied
from harness.engine.lanes.ascent import ascend
from harness.engine.lanes.descent import Descent, descend
from harness.engine.lanes.draws import SharedDraws
from harness.engine.lanes.groups import HOMOGENEOUS_CHUNK, Group, Output
from harness.engine.lanes.records import Records
from harness.engine.lanes.starts import Start, start_of

BACKWARD_BYTES = 2**22  # Bytes of one backward array; limits how many depths are propagated together.


def run_group(group: Group, draws: SharedDraws, records: Records) -> None:
    """Propagate the lanes of a group forward once, then backward from all their outputs, and record the results."""
    cost = draws.settings.cost
    down = _descending(group, draws)
    for lanes, places in backward_chunks(group, cost, draws.block.lane_bytes(draws.settings)):
        outputs = group.outputs[places.start : places.stop]
        for place, descent in zip(places, down(start_of(group, cost, lanes), outputs), strict=True):
            records.add([group.networks[lane][place] for lane in lanes], descent)


def _descending(group: Group, draws: SharedDraws) -> Callable[[Start, tuple[Output, ...]], list[Descent]]:
    """The backward pass of a group from some outputs, after its forward pass."""
    if group.remedy is None:
        return partial(descend, ascend(group, draws))
    return partial(remedied.descend, remedied.ascend(group, draws))


def backward_chunks(group: Group, cost: str, lane_bytes: int) -> Iterator[tuple[list[int], range]]:
    """Lanes and outputs that are propagated backward together, as indices in the group."""
    lanes = sorted(range(len(group.lanes)), key=lambda lane: group.is_superposed(lane, cost))
    one_for_all = group.one_start(cost)
    size = max(HOMOGENEOUS_CHUNK, BACKWARD_BYTES // lane_bytes) if group.homogeneous and not one_for_all else len(lanes)
    depths = max(1, BACKWARD_BYTES // (lane_bytes * (1 if one_for_all else min(size, len(lanes)))))
    for first in range(0, len(lanes), size):
        for place in range(0, len(group.outputs), depths):
            yield lanes[first : first + size], range(place, min(place + depths, len(group.outputs)))
