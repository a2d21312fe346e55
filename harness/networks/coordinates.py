"""The coordinates of a network, each declared once; every other list of coordinates derives from this one.

To add a coordinate, add one field to `Coordinates`, with a default. It is then a key of a config and of its schema, an
axis of a sweep, a column of the tables, a panel of the figures and a name in `harness show --where`. Networks that
differ in it are different networks, and networks that have its default keep the keys they had.
"""

from dataclasses import MISSING, dataclass, fields, replace
from typing import Annotated, get_type_hints

from harness.networks.activations import ACTIVATION_SYNONYMS, ACTIVATIONS
from harness.networks.inits import INIT_SYNONYMS, INITS
from harness.networks.kinds import Choice, Coordinate, Flag, Named, Number, Panel, Shape, Whole, Word
from harness.networks.remedies.normalisations import NORMALISATIONS
from harness.networks.remedies.residuals import RESIDUALS

MAX_DEPTH = 10**6  # a sweep beyond these runs for weeks, or was mistyped; --allow-large lifts them
MAX_WIDTH = 10**5
NONE = Choice("none")  # no normalisation, no skips


@dataclass(frozen=True, kw_only=True)
class Coordinates:
    """The coordinates that distinguish the networks of a sweep, in the order of the columns. Replicates share them."""

    activation: Annotated[
        Choice,
        Coordinate(
            "Function that each layer applies to its preactivations",
            Named("an activation", ACTIVATIONS, ACTIVATION_SYNONYMS),
            note=": a name, or a name with parameters",
            example="relu",
            label_alone=True,
            panel=None,
            in_every_key=True,
        ),
    ]
    init: Annotated[
        Choice,
        Coordinate(
            "Distribution from which weights and biases are drawn",
            Named("an initialisation", INITS, INIT_SYNONYMS),
            note=": a name, or a name with parameters",
            example="he_normal",
            label_alone=True,
            parts=("draws", "lane"),
            panel=Panel(0, mention="always"),
            in_every_key=True,
        ),
    ]
    weight_scale: Annotated[
        float,
        Coordinate(
            "Factor on every weight, on top of its initialisation",
            Number("a weight scale", above=0),
            note="; default 1",
            panel=Panel(2),
            in_every_key=True,
        ),
    ] = 1.0
    bias_scale: Annotated[
        float | None,  # None: the biases that the initialisation brings
        Coordinate(
            "Standard deviation of the biases",
            Number("a bias scale", at_least=0),
            note="; default null: those of the initialisation, which are 0 except for pytorch_default",
            null_from="init",
            panel=Panel(3),
            in_every_key=True,
        ),
    ] = None
    bias: Annotated[
        float,
        Coordinate(
            "Constant bias of every unit, beside the random ones of bias_scale",
            Number("a bias"),
            note="; default 0",
            panel=Panel(3),
            assumed=True,
        ),
    ] = 0.0
    tied: Annotated[
        bool,
        Coordinate(
            "Whether all hidden layers after the first have the same weights and biases: an unrolled recurrent network",
            Flag("a value of tied"),
            note="; default false",
            parts=("draws",),
            panel=Panel(4),
            assumed=True,
        ),
    ] = False
    depth: Annotated[
        int,
        Coordinate(
            "Number of layers of weights, including the output layer",
            Whole("a depth", MAX_DEPTH),
            example="16",
            parts=("output",),
            panel=None,
            varies_fastest=True,
            in_every_key=True,
        ),
    ]
    width: Annotated[
        int,
        Coordinate(
            "Number of units in each hidden layer, or in the widest of them",
            Whole("a width", MAX_WIDTH),
            note="; default 128",
            parts=("draws",),
            panel=Panel(1, mention="always"),
            in_every_key=True,
        ),
    ] = 128
    input_width: Annotated[
        int,
        Coordinate(
            "Number of inputs",
            Whole("an input width", MAX_WIDTH),
            note="; default null: the number of features of the data, or else the width",
            null_from="width",
            on_layers=False,
            parts=("draws",),
            panel=Panel(5, mention="never"),
            in_every_key=True,
        ),
    ]
    output_width: Annotated[
        int,
        Coordinate(
            "Number of outputs",
            Whole("an output width", MAX_WIDTH),
            note="; default null: the number of classes with targets: labels, or else the width",
            null_from="width",
            on_layers=False,
            parts=("output",),
            panel=Panel(6, mention="never"),
            in_every_key=True,
        ),
    ]
    widths: Annotated[
        tuple[int, ...] | None,
        Coordinate(
            "Widths of all layers, from the inputs to the outputs, such as [784, 256, 10]",
            Shape("a list of widths", MAX_DEPTH + 1, MAX_WIDTH, ("depth", "width", "input_width", "output_width")),
            note=", in place of depth, width, input_width and output_width; default null",
            parts=("draws",),
            panel=Panel(1),
            assumed=True,
        ),
    ] = None
    output: Annotated[
        str,
        Coordinate(
            "Activation of the last layer: the same (activation, the default), linear or another",
            Word("an output", ("activation", "linear", *(name for name in ACTIVATIONS if name != "linear"))),
            on_layers=False,
            parts=("output",),
            panel=Panel(4, "output layer", mention="never"),
            in_every_key=True,
        ),
    ] = "activation"
    normalisation: Annotated[
        Choice,
        Coordinate(
            "Normalisation in every hidden layer",
            Named("a normalisation", NORMALISATIONS, {}),
            note=": a name, or a name with parameters; default none",
            assumed=True,
        ),
    ] = NONE
    normalise: Annotated[
        str,
        Coordinate(
            "Whether the normalisation comes before the activation (preactivations) or after it (outputs)",
            Word("a place of the normalisation", ("preactivations", "outputs")),
            note="; default preactivations",
            on_layers=False,
        ),
    ] = "preactivations"
    weight_standardised: Annotated[
        bool,
        Coordinate(
            "Whether every column of W is centred and scaled, so that it has mean 0 and its initialisation's variance",
            Flag("a value of weight_standardised"),
            note="; default false",
            parts=("draws",),
            assumed=True,
        ),
    ] = False
    residual: Annotated[
        Choice,
        Coordinate(
            "Skips past the hidden layers, and the factor of the branch beside them",
            Named("a residual connection", RESIDUALS, {}),
            note=": a name, or a name with parameters; default none",
            assumed=True,
        ),
    ] = NONE


def _declared() -> tuple[Coordinate, ...]:
    annotations = get_type_hints(Coordinates, include_extras=True)
    found = []
    for field in fields(Coordinates):
        coordinate = annotations[field.name].__metadata__[0]
        required = field.default is MISSING and coordinate.null_from is None
        default = None if field.default is MISSING else field.default
        found.append(replace(coordinate, name=field.name, default=default, required=required))
    return tuple(found)


# The lists that others use, in the order of the columns unless they say another ---------------------------------------

COORDINATES = _declared()
BY_NAME = {coordinate.name: coordinate for coordinate in COORDINATES}
NAMES = tuple(BY_NAME)
REQUIRED = tuple(c.name for c in COORDINATES if c.required)
ON_LAYERS = tuple(c.name for c in COORDINATES if c.on_layers)
OFF_LAYERS = tuple(c.name for c in COORDINATES if not c.on_layers)
ASSUMED = tuple(c for c in COORDINATES if c.assumed)
# In the order of the product of a sweep's axes: the last one changes fastest.
PRODUCT_ORDER = tuple(c.name for c in sorted(COORDINATES, key=lambda c: c.varies_fastest))
# In the order in which figures tell their panels apart.
PANELS = {
    c.name: c.panel for c in sorted(COORDINATES, key=lambda c: c.panel.rank if c.panel else 0) if c.panel is not None
}
