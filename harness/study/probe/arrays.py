"""`harness.measure_arrays`: the report of a probe from arrays that any framework saved."""

import os
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from harness.execution.probe.arrays.ops import Ops, ops_of
from harness.execution.probe.arrays.recording import recording_of
from harness.study.probe.folder import save
from harness.study.probe.probe import SMALLEST_PART
from harness.study.probe.report import Report, report_of

PARTS = 3  # of the batch, which tell how sure a finding is
OF_WEIGHTS = ("W", "b", "dW")  # ends of the names of arrays without a batch


def measure_arrays(
    arrays: Mapping[str, ArrayLike], ops: Mapping[str, object], *, out: str | os.PathLike | None = None
) -> Report:
    """Report on one forward and one backward pass whose arrays are given, whatever computed them.

    `ops` lists the layers in order of execution: {"layers": [{"name": "0", "op": "linear", "activation": "tanh"}, …]},
    with `name` and `cost` of the network beside them. `arrays` holds `inputs` and, of every layer, `0.z`, `0.r`,
    `0.dz` = ∂C/∂z, `0.dr` = ∂C/∂r and `0.W` of shape (fan_in, fan_out). Axis 0 is the batch, the last axis the units.
    All is measured in float64. `out` is a folder for the results. Raises ConfigError, which names the array or entry.
    """
    return report_on(arrays, ops_of(ops, "model"), out=out)


def report_on(arrays: Mapping[str, ArrayLike], listed: Ops, *, out: str | os.PathLike | None = None) -> Report:
    """The report on arrays and the operations that made them."""
    whole = {name: np.asarray(values) for name, values in arrays.items()}
    report = report_of(
        listed.name, [recording_of(whole, listed)], [recording_of(part, listed) for part in _parts(whole)]
    )
    if out is not None:
        save(report, out, {"batch": len(whole["inputs"]), "layers": [layer.name for layer in listed.layers]})
    return report


def _parts(arrays: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """The arrays of equal parts of the batch; none where they would be too small."""
    batch = len(arrays["inputs"])
    if batch < SMALLEST_PART * PARTS:
        return []
    spans = [slice(*edges) for edges in pairwise(batch * i // PARTS for i in range(PARTS + 1))]
    return [
        {name: a if name.rpartition(".")[2] in OF_WEIGHTS else a[span] for name, a in arrays.items()} for span in spans
    ]
