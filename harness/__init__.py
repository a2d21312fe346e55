"""harness: how gradients vanish and explode with depth, and what share is the activation's and what the weights'.

results = harness.sweep("configs/depth.yaml")  # or a mapping with the same keys
results.networks, results.layers  # DataFrames
results.build(results.networks.network[0])  # the exact weights, biases, inputs and targets
harness.load("results/depth")  # results of an earlier sweep
harness.measure(weights, biases, inputs, targets, activation="tanh")  # the same tables for one given network
harness.measure_arrays(arrays, ops)  # the same from both passes of a network in any framework
harness.predict("tanh", "he_normal", depth=50)  # what theory says beforehand
harness.probe(model, inputs, targets, loss)  # what is wrong with the gradients of a PyTorch model
harness.watch(model, every=100)  # the same while your own loop trains it
harness.theory, harness.activations, harness.inits  # predictions, and the tables of what a network is made of
"""

from importlib import import_module

__version__ = "0.1.0"
__all__ = ["Results", "load", "measure", "measure_arrays", "predict", "probe", "probe_results", "sweep", "watch"]

_FUNCTIONS = {
    "Results": "harness.study.results",
    "load": "harness.study.results",
    "measure": "harness.execution.measure",
    "measure_arrays": "harness.study.probe.arrays",
    "predict": "harness.interface.forecast",
    "probe": "harness.study.probe.probe",
    "probe_results": "harness.study.probe.folder",
    "sweep": "harness.interface.notebook.sweeping",
    "watch": "harness.study.probe.watch",
}
_MODULES = {
    "activations": "harness.networks.activations",
    "inits": "harness.networks.inits",
    "theory": "harness.theory",
}


def __getattr__(name: str) -> object:
    """Import what is public when it is first used, so that `harness --help` needs neither numpy nor the rest."""
    import_module("harness.results.code.sources")  # first, so that what computes is loaded after it was read
    if name in _MODULES:
        value = import_module(_MODULES[name])
    elif name in _FUNCTIONS:
        value = getattr(import_module(_FUNCTIONS[name]), name)
    else:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    globals()[name] = value
    return value
