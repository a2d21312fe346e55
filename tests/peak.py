"""Peak memory of a block, in the process that calls."""

import resource
from pathlib import Path

from nets import spec
from threadpoolctl import threadpool_limits

from harness.engine.lanes.groups import Block, Settings
from harness.execution.block import run_block
from harness.execution.planning.memory import Fit
from harness.execution.pools.worker import keep_freed_memory


def peak(block: Block, settings: Settings, within: Fit) -> int:
    """Bytes that a block takes beyond what the process held before."""
    keep_freed_memory()
    with threadpool_limits(1):
        run_block(Block((spec(depth=1),), range(1)), settings)
        before = high_water()
        run_block(block, settings, within)
    return high_water() - before


def high_water() -> int:
    """Bytes that this process has held at most. Linux's ru_maxrss would begin at what its parent held."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
