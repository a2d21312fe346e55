"""The process of a worker: it answers calls that arrive by a pipe, with one BLAS thread, until the driver ends."""

import ctypes
import os
import pickle
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import Any

from threadpoolctl import threadpool_limits

import harness.results.code.sources  # noqa: F401  # first, so that what computes is loaded after it was read

ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS"), "1"
)


def serve(pipe: Connection) -> None:
    """Answer calls until the pipe closes. The first message is empty, or says why this process cannot be a worker."""
    try:
        _prepare()
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
        return
    pipe.send("")
    while True:
        try:
            call = pipe.recv_bytes()
        except EOFError:  # the driver has no more tasks
            return
        pipe.send_bytes(_answer(call))


def _prepare() -> None:
    threading.Thread(target=_exit_with_driver, daemon=True).start()
    os.environ.update(ONE_THREAD)  # for a BLAS that is loaded later, which threadpoolctl cannot know
    threadpool_limits(limits=1)  # for one that is loaded already
    keep_freed_memory()


def _answer(call: bytes) -> bytes:
    """The pickled answer to a call: (whether it succeeded, the result or the error)."""
    try:
        fn, args, kwargs = pickle.loads(call)
        return pickle.dumps((True, call_with_traceback(fn, *args, **kwargs)), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        try:
            sent = pickle.dumps((False, error))
            pickle.loads(sent)  # some errors can be pickled but not unpickled
            return sent
        except Exception:
            return pickle.dumps((False, RuntimeError("".join(traceback.format_exception(error)))))


def call_with_traceback(fn: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call a function. An error gets its traceback as a note, which survives pickling."""
    try:
        return fn(*args, **kwargs)
    except Exception as error:
        error.add_note(traceback.format_exc())
        raise


def keep_freed_memory() -> None:
    """Let the C library reuse memory that arrays free: fresh pages would cost a tenth of a block's time.

    Only glibc has this setting: M_TRIM_THRESHOLD is −1, M_MMAP_THRESHOLD is −3 and at most 32 MiB (mallopt(3)).
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda *_: None)
        mallopt(-3, 2**25)
        mallopt(-1, 2**31 - 1)


def _exit_with_driver() -> None:
    driver = parent_process()
    if driver is not None:
        driver.join()
        os._exit(1)
