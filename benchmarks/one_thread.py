"""One thread for everybody. Imported first: libraries read these variables when they are loaded."""

import os

from harness.execution.pools.worker import ONE_THREAD

os.environ.update(ONE_THREAD)
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
if hasattr(os, "sched_setaffinity"):  # XLA keeps some threads all the same: one core holds them together
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
