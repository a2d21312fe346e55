"""What a probe records of one forward and one backward pass: a row per call of an operation, in plain numbers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, isnan, log10, nan

import numpy as np

from harness.base.arrays import Array

LOWEST, BINS = -170, 320  # exponents that are counted: from below float32's smallest subnormal to beyond its largest
LOST, LEARN = 0.01, 0.1  # of a sample's gradient; and of the largest sample's, under which a sample counts as learned
ADAM_EPS = 1e-8  # the default of torch.optim.Adam


@dataclass(frozen=True, slots=True)
class Size:
    """How large a tensor's entries are. NaN and infinite entries make `norm` and `largest` NaN or infinite."""

    norm: float  # log10 of the Euclidean norm
    largest: float  # log10 of the largest magnitude
    entries: int
    zeros: int  # 0 where they were not counted
    dtype: str
    exponents: Array | None = None  # (BINS,): entries with 2^(e−1) ≤ |entry| < 2^e, for e = LOWEST, LOWEST + 1, …

    @property
    def rms(self) -> float:
        """log10 of the root mean square of the entries."""
        return self.norm - np.log10(self.entries) / 2 if self.entries else nan

    @property
    def is_finite(self) -> bool:
        return self.largest < inf  # false for NaN, too

    def share_below(self, power: int) -> float:
        """Share of the entries other than zero whose magnitude is under 2^power."""
        total = 0 if self.exponents is None else int(self.exponents.sum())
        return float(self.exponents[: max(power - LOWEST + 1, 0)].sum() / total) if total else 0.0  # type: ignore[index]


@dataclass(frozen=True, slots=True)
class Slopes:
    """An activation's slopes over units and batch, with the definitions of the columns of `layers`."""

    mean: float
    rms: float
    dead: float  # share of units with slope 0 for every sample
    always_on: float  # share of units with a slope other than 0 for every sample
    saturated: float  # share of slopes under 1 % of the activation's largest


@dataclass(slots=True)
class Row:
    """One call of an operation y = f(x), and the gradients that the backward pass brought to it.

    `grad_result` is ∂C/∂y, from all uses of y; `grad_argument` is this operation's own share of ∂C/∂x. Gradients are
    None where none arrived.
    """

    path: str  # of the module, as named_modules gives it
    op: str
    kind: str  # activation, weight, norm, product, attention, recurrent, embedding, loss, other
    call: int = 0  # how many calls of this operation in this module came before
    param: str = ""
    order: int = 0
    layer: int = 0  # weight operations so far
    on_trunk: bool = False
    has_graph: bool = False
    argument: Size | None = None
    result: Size | None = None
    grad_result: Size | None = None
    grad_argument: Size | None = None
    grad_query: Size | None = None
    grad_key: Size | None = None
    weight: Size | None = None
    grad_weight: Size | None = None
    grad_bias: float = nan  # log10 of the norm of ∂C/∂y summed over all but units
    under_eps: float = nan  # share of the entries of ∂C/∂W, zeros aside, under Adam's eps
    fan_in: int = 0
    sigma_w: float = nan
    sigma_b: float = nan
    slopes: Slopes | None = None
    mean_result: float = nan  # of an activation, over units and batch
    std_result: float = nan
    output_cosine: float = nan
    delta_cosine: float = nan
    sample_factor: float = nan  # log10 of the median over samples of ‖∂C/∂x‖ / ‖∂C/∂y‖
    lost_samples: float = nan  # share of the samples whose own factor is under LOST, among those that LEARN
    sample_norms: Array | None = None  # of ∂C/∂y, until ∂C/∂x arrives
    time_axis: int = 0  # of the argument of a recurrent operation
    over_time: tuple[float, ...] = ()  # log10 ‖∂C/∂x[t]‖ of a recurrent operation
    branch: float = nan  # of a sum on the trunk: ‖gradient through the branch‖ / ‖gradient through the skip‖
    branch_cosine: float = nan

    @property
    def factor(self) -> float:
        """log10 of ‖the operation's own ∂C/∂x‖ / ‖∂C/∂y‖; NaN where one is unknown, or both are zero."""
        if self.grad_argument is None or self.grad_result is None:
            return nan
        return log10_ratio(self.grad_argument.norm, self.grad_result.norm)

    @property
    def name(self) -> str:
        """The module and the operation, for sentences."""
        return f"{self.path} ({self.op})" if self.path else self.op


@dataclass(frozen=True, slots=True)
class Cut:
    """A call that takes a tensor out of the graph, and the line of the user's code that made it."""

    op: str
    path: str
    place: str


@dataclass
class Recording:
    """One forward and one backward pass. Rows are in order of execution."""

    rows: list[Row] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)  # operations whose inside is not seen, each with its module
    frozen: tuple[str, ...] = ()  # parameters that ask for no gradient
    without_gradient: tuple[str, ...] = ()  # parameters that ask for one and got none
    cost: float = nan
    has_graph: bool = True
    step: int = 0
    of_torch: bool = True  # whether remedies are to be written as lines of PyTorch

    def of_kind(self, *kinds: str) -> Iterator[Row]:
        return (row for row in self.rows if row.kind in kinds)

    def number(self) -> None:
        """Give the rows their order and their layer."""
        layer = 0
        for order, row in enumerate(self.rows):
            layer += row.kind == "weight"
            row.order, row.layer = order, layer


def log10_of(number: float) -> float:
    """log10, with −inf for zero and NaN for NaN."""
    return log10(number) if number > 0 else -inf if number == 0 else nan


def exponents(values: Array) -> Array:
    """Counts of the exponents e, 2^(e−1) ≤ |entry| < 2^e, of the entries other than zero, (BINS,)."""
    counts = np.bincount((np.frexp(values)[1].ravel() - LOWEST).clip(0, BINS - 1), minlength=BINS)
    counts[-LOWEST] -= values.size - np.count_nonzero(values)  # numpy gives zero the exponent 0
    return counts


def share_under_eps(gradient: Array) -> float:
    """Share of the entries other than zero whose magnitude is under Adam's default eps."""
    alive, large = np.count_nonzero(gradient), np.count_nonzero(np.abs(gradient) >= ADAM_EPS)
    return 1 - large / alive if alive else 0.0


def of_samples(above: Array, below: Array) -> tuple[float, float]:
    """log10 of the median over samples of ‖below‖ / ‖above‖, and the share of samples whose gradient is lost.

    Both arguments are norms, (batch,). Both results are NaN where no sample has a gradient.
    """
    alive = above > 0
    if not alive.any():
        return nan, nan
    learning = above >= LEARN * above.max()
    lost = np.count_nonzero((below < LOST * above) & learning) / np.count_nonzero(learning)
    return log10_of(float(np.median(below[alive] / above[alive]))), lost


def log10_ratio(above: float, below: float) -> float:
    """The difference of two logarithms; NaN for two zeros or two infinities."""
    return nan if (above == below and abs(above) == inf) or isnan(above) or isnan(below) else above - below
