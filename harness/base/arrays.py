"""The type of every array in the package. Docstrings and comments give the shapes."""

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
