"""What may stand in a config, as pydantic models; each field says what it is for."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr, TypeAdapter, WithJsonSchema, WrapValidator, field_validator

from harness import axes, grid
from harness.activations import ACTIVATIONS
from harness.axes import choice_axis, numeric_axis, plain_axis
from harness.data import SUFFIXES, DataSpec
from harness.inits import INITS
from harness.problems import remedy, shown
from harness.value_types import Strict, complaint, number, optional, whole, word

_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # folders Windows cannot make
_FOLDER = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?"
MOST_LAYERS = 10_000  # in a list of layers to record
_WORD = r"[A-Za-z_][A-Za-z0-9_]{0,99}"


def _pattern(pattern: str, what: str, advice: str) -> Any:
    def check(value: object) -> object:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise complaint(f"{shown(value)} is not {what}; {advice}")
        if _RESERVED.fullmatch(value):
            raise complaint(f"{shown(value)} is a name that Windows keeps for itself; use another")
        return value

    return Annotated[str, Field(pattern=f"^{pattern}$"), BeforeValidator(check)]


def _inputs(value: object) -> object:
    if value in ("gaussian", "digits"):
        return value
    if not isinstance(value, str) or PurePosixPath(value).suffix not in SUFFIXES:
        advice = f"{remedy(value, ('gaussian', 'digits', 'a path ending in ' + ', '.join(SUFFIXES)))}"
        raise complaint(f"{shown(value)} is no source of inputs; {advice}")
    if PurePosixPath(value).is_absolute() or PureWindowsPath(value).drive or not value.isprintable():
        raise complaint(f"{shown(value)} cannot be found on another machine; write a path relative to the config")
    return value


_plain_word = _pattern(_WORD, "a name", "use letters, digits and _")


class NetworkAxes(Strict):
    """Axes of networks: each key is a value, a list of values, or a range where it is a number."""

    # A key that is not given is None: null itself, where it may be written, becomes (None,).

    activation: choice_axis("an activation", ACTIVATIONS) = Field(
        None, description="What each layer applies to its pre-activations: a name, or a name with parameters."
    )
    init: choice_axis("an initialisation", INITS) = Field(
        None, description="How weights and biases are drawn: a name, or a name with parameters."
    )
    weight_scale: numeric_axis("weight_scale", number("a weight scale", above=0)) = Field(
        None, description="What every weight is multiplied by on top of its initialisation; default 1."
    )
    bias_scale: numeric_axis("bias_scale", number("a bias scale", at_least=0), nullable=True) = Field(
        None, description="Standard deviation of the biases; default null, the biases the initialisation brings, "
                          "0 for all but pytorch_default.")  # fmt: skip
    depth: numeric_axis("depth", whole("a depth")) = Field(
        None, description="Number of layers of weights, the output layer's included."
    )
    width: numeric_axis("width", whole("a width")) = Field(None, description="Number of units in each hidden layer.")
    input_width: numeric_axis("input_width", whole("an input width"), nullable=True) = Field(
        None, description="Number of inputs; default null, as many as the data have, or else the width."
    )
    output_width: numeric_axis("output_width", whole("an output width"), nullable=True) = Field(
        None, description="Number of outputs; default null, one a class with targets: labels, or else the width."
    )
    output: plain_axis(word("an output", ("activation", "linear"))) = Field(
        None, description="Whether the last layer applies the activation (the default) or is linear."
    )

    def given(self) -> dict[str, tuple]:
        """The axes that were given, in the order of the product."""
        return {key: getattr(self, key) for key in grid.ORDER if getattr(self, key) is not None}


DEFAULT_AXES = {"weight_scale": (1.0,), "bias_scale": (None,), "input_width": (None,), "output_width": (None,),
                "output": ("activation",)}  # fmt: skip


class Data(Strict):
    """What the networks of a replicate see; the same for all of them."""

    inputs: Annotated[str, BeforeValidator(_inputs)] = Field(
        "gaussian", description="gaussian (standard normal), digits (8×8 scans, standardised), or the path of a "
                                ".npy, .npz, .csv or .parquet file relative to the config.")  # fmt: skip
    targets: word("a kind of targets", ("gaussian", "labels", "zeros")) = Field(
        "gaussian", description="gaussian (standard normal), labels (one-hot classes of the inputs) or zeros."
    )
    batch: whole("a batch") = Field(64, description="Number of samples each network sees.")
    inputs_sha256: optional(_pattern("[0-9a-f]{64}", "a SHA-256", "use 64 hexadecimal digits, or remove it")) = Field(
        None, description="SHA-256 of the data file; where it is given, another file is refused."
    )


class Thresholds(Strict):
    """Where vanishing and exploding begin."""

    decades: number("a number of decades", above=0) = Field(
        3.0, description="Attenuation between last and first layer, in decades, from which a gradient counts as "
                         "vanishing or exploding.")  # fmt: skip


def _case_list(given: object) -> object:
    if not isinstance(given, list | tuple):
        raise complaint(f"{shown(given)} is not a list of cases; write each as - {{depth: 8}}")
    if len(given) > grid.MAX_CASES:
        raise complaint(f"{len(given)} cases, more than {grid.MAX_CASES}; use axes, or split the sweep")
    return given


def _figure_list(given: object) -> object:
    if not isinstance(given, list | tuple):
        raise complaint(f"{shown(given)} is not a list of figures; write [name, …]")
    for i, name in enumerate(given):
        if name in given[:i]:
            raise complaint(f"{shown(name)} comes twice; remove one")
    return given


def _layers(given: object, check: Callable[[object], int]) -> object:
    if given is None or given == "all":
        return None
    if not isinstance(given, list | tuple):
        return check(given)
    layers = tuple(check(layer) for layer in given)
    if not layers or len(layers) > MOST_LAYERS or list(layers) != sorted(set(layers)):
        raise complaint(f"{shown(given)} is no list of layers; write up to {MOST_LAYERS:,}, each once, ascending")
    return layers


_layer = TypeAdapter(whole("a number of layers, or a layer"))
_record_layers = Annotated[
    int | tuple[int, ...] | None,
    WrapValidator(lambda given, _: _layers(given, _layer.validate_python)),
    WithJsonSchema({"anyOf": [{"const": "all"}, {"type": "null"}, {"type": "integer", "minimum": 1},
                              {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 1}}]}),
]  # fmt: skip


class Sweep(Strict):
    """A validated sweep. Equal to another when both say the same, wherever their files lie."""

    name: _pattern(_FOLDER, "a folder name", "use up to 100 of A-Z a-z 0-9 . _ -, a letter or digit first") = Field(
        description="Name of the folder under results/ that the sweep writes."
    )
    network: NetworkAxes = Field(description="The networks: the product of all axes given here.")
    cases: Annotated[tuple[NetworkAxes, ...], BeforeValidator(_case_list)] = Field(
        (), description="Partial networks, each multiplied with the rest; a case's keys replace those under network."
    )
    data: Data = Field(Data(), description="Inputs, targets and batch.")
    cost: word("a cost", ("squared", "linear")) = Field(
        "squared", description="squared: mean of ½‖y_hat − y‖²; linear: mean of ⟨y, y_hat⟩, whose gradient knows "
                               "nothing of the weights.")  # fmt: skip
    replicates: whole("a number of replicates") = Field(1, description="How many independent draws of every network.")
    seed: whole("a seed", 0, 2**63 - 1) = Field(0, description="What all draws follow from.")
    dtype: word("a dtype", ("float64", "float32")) = Field("float64", description="Number format of the arithmetic.")
    record_layers: _record_layers = Field(
        None, description="Layers of each network that get a row: all (the default), so many spread evenly, or a list."
    )
    thresholds: Thresholds = Field(Thresholds(), description="Where the regimes vanishing and exploding begin.")
    experiment: optional(_plain_word) = Field(
        None, description="Name of the question's file under experiments/; default null."
    )
    figures: optional(Annotated[tuple[_plain_word, ...], BeforeValidator(_figure_list)]) = Field(
        None, description="Names of the figures to draw; default null, the usual ones."
    )
    _folder: Path = PrivateAttr(default=Path("."))
    _places: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @field_validator("network")
    @classmethod
    def _with_defaults(cls, network: NetworkAxes) -> NetworkAxes:
        return network.model_copy(update={**DEFAULT_AXES, **network.given()})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sweep) and self.__dict__ == other.__dict__

    __hash__ = None

    def __reduce__(self) -> tuple:
        return _rebuilt, (plain(self), self._folder)

    def cases_given(self) -> list[grid.Case]:
        """Each case with what it takes from `network`."""
        return grid.cases_of(self.network.given(), [case.given() for case in self.cases])

    @property
    def folder(self) -> Path:
        """Where the config's relative paths begin."""
        return self._folder

    def place(self, key: str) -> str:
        """`depth.yaml:3:1: experiment`: what a message begins with that is found out after the config was checked."""
        at = self._places.get(key) or self._places.get(key.partition("[")[0])
        return f"{at}: {key}" if at else key

    def data_spec(self) -> DataSpec:
        """What the batches are drawn from."""
        inputs = self.data.inputs
        path = self._folder / inputs if inputs not in ("gaussian", "digits") else None
        return DataSpec(inputs, self.data.targets, self.data.batch, path, self.data.inputs_sha256)


def placed(sweep: Sweep, folder: Path) -> Sweep:
    """The same sweep, its data file looked up in `folder`."""
    moved = sweep.model_copy()
    moved._folder = folder
    return moved


def located(sweep: Sweep, places: Mapping[str, str]) -> Sweep:
    """The same sweep, with where some of its keys stand in the file."""
    sweep = sweep.model_copy()
    sweep._places = places
    return sweep


def plain(sweep: Sweep) -> dict:
    """The sweep as a config writes it, every default written out."""
    return {
        "name": sweep.name,
        "network": _plain_axes(sweep.network),
        "cases": [_plain_axes(case) for case in sweep.cases],
        "data": sweep.data.model_dump(),
        **{key: getattr(sweep, key) for key in ("cost", "replicates", "seed", "dtype")},
        "record_layers": list(layers) if isinstance(layers := sweep.record_layers, tuple) else layers or "all",
        "thresholds": sweep.thresholds.model_dump(),
        "experiment": sweep.experiment,
        "figures": None if sweep.figures is None else list(sweep.figures),
    }


def _plain_axes(network: NetworkAxes) -> dict:
    return {key: axes.plain(axis) for key, axis in network.given().items()}


def _rebuilt(mapping: dict, folder: Path) -> Sweep:
    return placed(Sweep.model_validate(mapping), folder)
