"""The config as pydantic models; each field describes its key.

The schema shows the descriptions of the models. They are assigned, because Python drops docstrings under -OO.
"""

from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    TypeAdapter,
    WithJsonSchema,
    WrapValidator,
    create_model,
    field_validator,
    model_validator,
)

from harness.base.messages import Path, shown
from harness.config import axes, grid
from harness.config.training import models as training_models
from harness.config.types.axes import axis_of
from harness.config.types.text import FOLDER_NAME, NAME, NAME_IN_FILE, SHA256, SOURCE_OF_INPUTS
from harness.config.types.values import (
    Accepts,
    Strict,
    Type,
    complaint,
    distinct,
    flag,
    number,
    optional,
    whole,
    word,
)
from harness.networks.activations import SATURATED
from harness.networks.coordinates import COORDINATES, PRODUCT_ORDER
from harness.networks.costs import COSTS
from harness.networks.data import TARGET_KINDS, DataSpec
from harness.networks.files.dataset import Keys
from harness.networks.kinds import Choice, Coordinate

MOST_LAYERS = 10_000  # in a list of layers to record


class NetworkAxes(Strict):
    __doc__ = "Axes of networks: each key is a value, a list of values, or a range where it is a number."

    def given(self) -> dict[str, tuple]:
        """The axes that were given, in the order of their product."""
        return {key: getattr(self, key) for key in PRODUCT_ORDER if getattr(self, key) is not None}


# An axis that is not given is None: null itself, where it may be written, becomes (None,).
_FIELDS: dict[str, Any] = {
    coordinate.name: (axis_of(coordinate), Field(None, description=coordinate.description))
    for coordinate in COORDINATES
}
_GIVEN_AXES = create_model("NetworkAxes", __base__=NetworkAxes, __doc__=NetworkAxes.__doc__, **_FIELDS)


def _default_axis(coordinate: Coordinate) -> tuple:
    """The axis of one value, the default of a coordinate that need not be given."""
    if isinstance(coordinate.default, Choice):
        axis: tuple = TypeAdapter(_FIELDS[coordinate.name][0]).validate_python(coordinate.default.name)
        return axis
    return (coordinate.default,)


DEFAULT_AXES = {coordinate.name: _default_axis(coordinate) for coordinate in COORDINATES if not coordinate.required}


class Data(Strict):
    __doc__ = "Inputs and targets; all networks of a replicate see the same."

    inputs: Annotated[str, Accepts(SOURCE_OF_INPUTS)] = Field(
        "gaussian",
        description="gaussian (standard normal), digits (8×8 scans, standardised), or the path of a "
        ".npy, .npz, .csv or .parquet file relative to the config.",
    )
    targets: Annotated[str, Accepts(word("a kind of targets", TARGET_KINDS))] = Field(
        "gaussian", description="gaussian (standard normal), labels (one-hot classes of the inputs), zeros or ones."
    )
    batch: Annotated[int, Accepts(whole("a batch"))] = Field(64, description="Number of samples each network sees.")
    inputs_key: Annotated[str | None, Accepts(optional(NAME_IN_FILE))] = Field(
        None,
        description="Name of the array of inputs in a .npz file; default null, inputs, x_train, X_train, X or x.",
    )
    labels: Annotated[str | None, Accepts(optional(NAME_IN_FILE))] = Field(
        None,
        description="Name of the column (.csv, .parquet) or array (.npz) that holds the classes, whole numbers or "
        "text; default null, a column label, or the array that belongs to the inputs: labels, y_train or y.",
    )
    inputs_sha256: Annotated[str | None, Accepts(optional(SHA256))] = Field(
        None, description="SHA-256 of the data file; where it is given, another file is refused."
    )


class Thresholds(Strict):
    __doc__ = "Thresholds of the regimes vanishing and exploding, and of saturated units."

    decades: Annotated[float, Accepts(number("a number of decades", above=0))] = Field(
        3.0,
        description="Attenuation between last and first layer, in decades, from which a gradient counts as "
        "vanishing or exploding.",
    )
    saturated_below: Annotated[float, Accepts(number("a share of the largest slope", above=0))] = Field(
        SATURATED,
        description="Share of an activation's largest slope under which a slope counts as saturated.",
    )


def _case_list(given: object) -> object:
    if not isinstance(given, list | tuple):
        raise complaint(f"{shown(given)} is not a list of cases; write each as - {{depth: 8}}")
    if len(given) > grid.MAX_CASES:
        raise complaint(f"{len(given)} cases, more than {grid.MAX_CASES}; use axes, or split the sweep")
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


_FIGURES = distinct(NAME, "a list of figures", "[name, …]")
_LAYER: TypeAdapter[int] = TypeAdapter(whole("a number of layers, or a layer"))
_RECORD_LAYERS: Type = Annotated[
    int | tuple[int, ...] | None,
    WrapValidator(lambda given, _: _layers(given, _LAYER.validate_python)),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "all"},
                {"type": "null"},
                {"type": "integer", "minimum": 1},
                {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 1}},
            ]
        }
    ),
]


class Sweep(Strict):
    __doc__ = "A validated sweep. Two are equal when their keys have the same values, wherever their files are."

    name: Annotated[str, Accepts(FOLDER_NAME)] = Field(
        description="Name of the folder under results/ that the sweep writes; default: the file's name without .yaml."
    )
    network: Annotated[NetworkAxes, Accepts(_GIVEN_AXES)] = Field(
        description="The networks: the product of all axes given here."
    )
    cases: Annotated[tuple[Annotated[NetworkAxes, Accepts(_GIVEN_AXES)], ...], BeforeValidator(_case_list)] = Field(
        (),
        description="Partial networks, each a product of axes of its own; its keys replace those under network.",
    )
    data: Data = Field(Data(), description="Inputs, targets and batch.")
    cost: Annotated[str, Accepts(word("a cost", tuple(COSTS)))] = Field(
        "squared",
        description="; ".join(f"{cost.name}: {cost.summary}" for cost in COSTS.values()) + ".",
    )
    replicates: Annotated[int, Accepts(whole("a number of replicates"))] = Field(
        8, description="Number of independent draws of every network."
    )
    seed: Annotated[int, Accepts(whole("a seed", 0, 2**63 - 1))] = Field(0, description="Seed of every random draw.")
    dtype: Annotated[str, Accepts(word("a dtype", ("float64", "float32")))] = Field(
        "float64", description="Number format of the arithmetic."
    )
    record_layers: Annotated[int | tuple[int, ...] | None, Accepts(_RECORD_LAYERS)] = Field(
        None,
        description="Layers of each network that get a row: all (the default), a number spread evenly, or a list.",
    )
    mean_abs_grad_weights: Annotated[bool, Accepts(flag("a value of mean_abs_grad_weights"))] = Field(
        False,
        description="Whether the column of that name is computed, which takes a third more time or so; default false.",
    )
    training: training_models.Training | None = Field(
        None, description="How every network is trained; default null, no training."
    )
    thresholds: Thresholds = Field(Thresholds(), description="Where regimes and saturation begin.")
    experiment: Annotated[str | None, Accepts(optional(NAME))] = Field(
        None,
        description="Name of a file under experiments/, with the sentence, figures and claims; default null, none.",
    )
    figures: Annotated[tuple[str, ...] | None, Accepts(optional(_FIGURES))] = Field(
        None, description="Names of the figures to draw; default null, those of the experiment, or else all that apply."
    )
    _folder: FilePath = PrivateAttr(default=FilePath("."))
    _places: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _with_linear_output(cls, given: Any) -> Any:
        """Where a cost applies softmax or sigmoid itself, the output is linear unless the config has another."""
        if isinstance(given, dict) and isinstance(network := given.get("network"), dict):
            if given.get("cost") in [cost.name for cost in COSTS.values() if cost.applies]:
                return {**given, "network": {"output": "linear"} | network}
        return given

    @field_validator("network")
    @classmethod
    def _with_defaults(cls, network: NetworkAxes) -> NetworkAxes:
        given = network.given()
        defaults = DEFAULT_AXES | ({"width": None} if grid.has_widths(given) else {})
        return network.model_copy(update={**defaults, **given})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sweep) and self.__dict__ == other.__dict__

    def __reduce__(self) -> tuple:
        return _rebuilt, (plain(self), self._folder)

    def cases_given(self) -> list[grid.Case]:
        """Each case with the axes that it takes from `network`."""
        return grid.cases_of(self.network.given(), [case.given() for case in self.cases])

    @property
    def folder(self) -> FilePath:
        """The folder that the config's relative paths start from."""
        return self._folder

    def place(self, key: str) -> str:
        """The place of a key, `depth.yaml:3:1: experiment`, for messages about it after the config was checked."""
        at = self._places.get(key) or self._places.get(key.partition("[")[0])
        return f"{at}: {key}" if at else key

    def data_spec(self) -> DataSpec:
        """The source of the batches."""
        inputs = self.data.inputs
        path = self._folder / inputs if inputs not in ("gaussian", "digits") else None
        keys = Keys(self.data.inputs_key, self.data.labels)
        return DataSpec(inputs, self.data.targets, self.data.batch, path, self.data.inputs_sha256, keys)


def placed(sweep: Sweep, folder: FilePath) -> Sweep:
    """The same sweep with its relative paths starting from `folder`."""
    moved = sweep.model_copy()
    moved._folder = folder
    return moved


def written_networks(sweep: Sweep) -> list[tuple[Path, NetworkAxes]]:
    """The axes under `network` and those of each case, with their places."""
    return [(("network",), sweep.network), *((("cases", i), case) for i, case in enumerate(sweep.cases))]


def located(sweep: Sweep, places: Mapping[str, str]) -> Sweep:
    """The same sweep, with the places of some of its keys in the file: `figures[0]` → `depth.yaml:3:10`."""
    sweep = sweep.model_copy()
    sweep._places = places
    return sweep


def plain(sweep: Sweep) -> dict:
    """The sweep as a config writes it, with every default written out."""
    return {
        "name": sweep.name,
        "network": _plain_axes(sweep.network),
        "cases": [_plain_axes(case) for case in sweep.cases],
        "data": sweep.data.model_dump(),
        **{key: getattr(sweep, key) for key in ("cost", "replicates", "seed", "dtype")},
        "record_layers": list(layers) if isinstance(layers := sweep.record_layers, tuple) else layers or "all",
        "mean_abs_grad_weights": sweep.mean_abs_grad_weights,
        "training": training_models.plain(sweep.training),
        "thresholds": sweep.thresholds.model_dump(),
        "experiment": sweep.experiment,
        "figures": None if sweep.figures is None else list(sweep.figures),
    }


def _plain_axes(network: NetworkAxes) -> dict:
    return {key: axes.plain(axis) for key, axis in network.given().items()}


def _rebuilt(mapping: dict, folder: FilePath) -> Sweep:
    return placed(Sweep.model_validate(mapping), folder)
