"""A sweep as a config describes it: read, checked, expanded to networks, and written out again.

`load` reads YAML, `from_mapping` a dict, `read` either; all report every problem in one pass, as ConfigError.
"""

from harness.config.models import Sweep
from harness.config.networks import ONLY_SHOWN, Difference, count, differences, dump, expand
from harness.config.reading import from_mapping, load, read
from harness.config.schema import json_schema

__all__ = [
    "ONLY_SHOWN", "Difference", "Sweep", "count", "differences", "dump", "expand", "from_mapping", "json_schema",
    "load", "read",
]  # fmt: skip
