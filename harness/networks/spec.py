"""The specification of a network: its coordinates in a sweep, its keys, gains and scales."""

import json
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from hashlib import blake2b
from math import nan

from harness.networks.activations import ACTIVATIONS, Activation
from harness.networks.coordinates import COORDINATES, Coordinates
from harness.networks.inits import INITS, Init
from harness.networks.kinds import Choice, Coordinate, Part
from harness.networks.remedies.normalisations import NORMALISATIONS, Normalisation
from harness.networks.remedies.residuals import RESIDUALS, Residual


@dataclass(frozen=True)
class NetworkSpec(Coordinates):
    """A network without its replicate: its coordinates, and the quantities that follow from them."""

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits that depend on the coordinates alone."""
        hashed = asdict(self)
        for coordinate in COORDINATES:
            if not coordinate.in_every_key and getattr(self, coordinate.name) == coordinate.default:
                del hashed[coordinate.name]
        return blake2b(json.dumps(hashed, sort_keys=True).encode(), digest_size=6).hexdigest()

    def network(self, replicate: int) -> str:
        """The key of one drawn network: the column `network`."""
        return f"{self.key}-{replicate}"

    def grouping_key(self, part: Part) -> tuple[Hashable, ...]:
        """The coordinates that are equal in networks with the same base draws, the same lane or the same output layer.

        Base draws depend on the initialisation through its family and its shift only.
        """
        own: dict[str, object] = {}
        if part == "draws":
            own = {"init": (self.family, self.shift), "widths": self.hidden_widths}
            own |= {"width": None} if self.widths else {}
        return tuple(
            own[coordinate.name] if coordinate.name in own else getattr(self, coordinate.name)
            for coordinate in COORDINATES
            if part in coordinate.parts
        )

    @property
    def hidden_widths(self) -> tuple[int, ...] | None:
        """The widths of the inputs and of the hidden layers, where they are given one by one."""
        return None if self.widths is None else self.widths[:-1]

    def cell(self, coordinate: Coordinate) -> str | float:
        """The value of a coordinate as the tables hold it: labels for names, and no null."""
        value = getattr(self, coordinate.name)
        if isinstance(value, Choice):
            return value.label
        if coordinate.name == "widths":
            return "-".join(map(str, value or ()))
        return self.sigma_b(self.width) if value is None else value

    @property
    def family(self) -> str:
        """The family of the base draws of the weights."""
        return init_of(self.init).family

    @property
    def shift(self) -> float:
        """Mean of the base draws of the weights."""
        return init_of(self.init).shift

    @property
    def within(self) -> float | None:
        """The tolerance about 1 of the variance of z to which LSUV scales the weights; None: they are not scaled."""
        return init_of(self.init).within

    @property
    def bias_family(self) -> str:
        """The family of the base draws of the biases: that of the initialisation, unless `bias_scale` was given."""
        return self.family if self.bias_scale is None else "normal"

    @property
    def has_biases(self) -> bool:
        """Whether any bias is not 0."""
        return bool(self.bias or self.sigma_b(self.width))

    def gain(self, fan_in: int, fan_out: int) -> float:
        """The factor of a base draw: W = gain * base."""
        return self.weight_scale * init_of(self.init).gain(fan_in, fan_out)

    def sigma_b(self, fan_in: int) -> float:
        """Standard deviation of the biases of a layer."""
        return init_of(self.init).sigma_b(fan_in) if self.bias_scale is None else self.bias_scale

    def sigma_w(self) -> float:
        """σ_w of the hidden layers: σ_w² = fan_in · Var W; NaN where it differs between them or follows from data."""
        if self.within is not None:
            return nan
        if self.widths is not None:
            hidden = range(1, self.depth - 1) or range(self.depth)[-1:]
            found = {round(self.sigma_w_of(k), 12) for k in hidden}
            return found.pop() if len(found) == 1 else nan
        return self.weight_scale * init_of(self.init).sigma_w(self.width, self.width)

    @property
    def branch_scale(self) -> float:
        """alpha, the factor of a branch beside a skip; 1 without skips."""
        return residual_of(self.residual).branch_scale(self.depth)

    @property
    def last_ruled(self) -> int:
        """The last layer whose weights start by Fixup's rule, where the last skip ends; 0 without."""
        if not residual_of(self.residual).by_rule:
            return 0
        return 1 + self.block_layers * max(0, (self.depth - 2) // self.block_layers)

    def rule_gain(self, k: int) -> float:
        """The factor of W[k−1] by Fixup's rule: 0 for the last of a branch, L^(−1/(2m − 2)) within one, else 1."""
        if not 1 < k <= self.last_ruled:
            return 1.0
        m = self.block_layers
        return 0.0 if (k - 1) % m == 0 else ((self.last_ruled - 1) // m) ** (-1 / (2 * m - 2))

    @property
    def block_layers(self) -> int:
        """Layers of a branch beside a skip; 1 without skips."""
        return residual_of(self.residual).every

    @property
    def remedied(self) -> bool:
        """Whether layers are normalised or have skips, or weights are standardised or scaled by the batch."""
        on_weights = self.weight_standardised or self.within is not None
        return on_weights or self.normalised or self.residual.name != "none"

    @property
    def normalised(self) -> bool:
        """Whether hidden layers are normalised."""
        return self.normalisation.name != "none"

    def sigma_w_of(self, k: int) -> float:
        """σ_w of W[k]: σ_w² = fan_in · Var W; of weights that the batch scales, at their start."""
        return self.weight_scale * init_of(self.init).sigma_w(*self.fans(k))

    def fans(self, k: int) -> tuple[int, int]:
        """(fan_in, fan_out) of W[k], k = 0 … depth − 1."""
        if self.widths is not None:
            return self.widths[k], self.widths[k + 1]
        fan_in = self.input_width if k == 0 else self.width
        return fan_in, self.output_width if k == self.depth - 1 else self.width


def activation_of(choice: Choice) -> Activation:
    """The activation that a choice names, made with its parameters. Raises KeyError for an unknown name."""
    return _activation(ACTIVATIONS[choice.name], choice.parameters)


def activation_labelled(label: str) -> Activation:
    """The activation of a label such as `leaky_relu(negative_slope=0.1)`, as `Choice.label` writes it.

    Raises KeyError for an unknown name, TypeError for an unknown parameter, and ValueError for an invalid value.
    """
    return activation_of(Choice.from_label(label))


def init_of(choice: Choice) -> Init:
    """The initialisation that a choice names, made with its parameters. Raises KeyError for an unknown name."""
    return _init(INITS[choice.name], choice.parameters)


def normalisation_of(choice: Choice) -> Normalisation:
    """The normalisation that a choice names, made with its parameters. Raises KeyError for an unknown name."""
    return NORMALISATIONS[choice.name](**dict(choice.parameters))


def residual_of(choice: Choice) -> Residual:
    """The residual connection that a choice names, made with its parameters. Raises KeyError for an unknown name."""
    return RESIDUALS[choice.name](**dict(choice.parameters))


@cache
def _activation(make: Callable[..., Activation], parameters: tuple[tuple[str, float], ...]) -> Activation:
    return make(**dict(parameters))


@cache
def _init(make: Callable[..., Init], parameters: tuple[tuple[str, float], ...]) -> Init:
    return make(**dict(parameters))
