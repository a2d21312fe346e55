"""harness: how gradients vanish and explode with depth, and what share is the activation's and what the weights'.

    results = harness.sweep("configs/depth.yaml")     # or a mapping with the same keys
    results.networks, results.layers                  # DataFrames
    results.build(results.networks.network[0])        # the very weights, biases, inputs and targets
    harness.load("results/depth")
"""

__version__ = "0.1.0"
__all__ = ["Results", "load", "sweep"]

_PUBLIC = {"Results": "harness.results", "load": "harness.results", "sweep": "harness.driver"}


def __getattr__(name: str) -> object:
    """Loads numpy and the rest only when they are asked for: `harness --help` needs none of it."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value
