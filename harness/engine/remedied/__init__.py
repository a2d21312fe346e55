"""Lanes whose hidden layers are normalised or have skips: the same equations, with what is between and beside them."""

from harness.engine.remedied.ascent import ascend
from harness.engine.remedied.descent import descend

__all__ = ["ascend", "descend"]
