"""A sweep as a config describes it: read, checked, expanded to networks, and written out again.

`read_file` reads a YAML file, `from_mapping` a dict, `read` either. All report every problem at once, as ConfigError.
"""

from harness.config.expansion import (
    ONLY_SHOWN,
    Difference,
    count,
    differences,
    digest,
    dump,
    expand,
    names,
    settings_digest,
    training_of,
)
from harness.config.models import Sweep
from harness.config.reading import experiment_named, from_mapping, read, read_file
from harness.config.schema import json_schema

__all__ = [
    "ONLY_SHOWN",
    "Difference",
    "Sweep",
    "count",
    "differences",
    "digest",
    "dump",
    "expand",
    "experiment_named",
    "from_mapping",
    "json_schema",
    "names",
    "read",
    "read_file",
    "settings_digest",
    "training_of",
]
