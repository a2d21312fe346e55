"""The type of every array in the package, and a choice from one. Docstrings and comments give the shapes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def evenly_spaced(values: Array, most: int) -> Array:
    """At most so many of the values, evenly spaced, the first and the last among them. (values,) -> (≤ most,)"""
    return values[np.unique(np.linspace(0, len(values) - 1, min(len(values), most)).round().astype(int))]
