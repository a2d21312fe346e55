"""What a block takes in time, counted in multiplications: to compare blocks, and a piece of one with the rest.

Everything is set against one multiplication of a matrix product at width 128 in float64, 1/16 ns with what a core does
between them. `python -m benchmarks.rates` measures the others; they need be right to a factor of two.
"""

from collections.abc import Callable

from harness.footprint import at_once
from harness.gram import by_gram
from harness.lanes import Block, Group, Settings, groups

ELEMENTWISE = 120  # a number on its way through a layer, one way: a dozen passes over it, 7.5 ns
SUPERPOSED = 32  # a number on its way down in a lane that shares its starts: a few passes, 2 ns
CALLS = 420_000  # a layer of an array in flight, one way, however small: numpy's calls, 26 µs
ROW = 25_000  # a row of `layers`: its measures, and the tables, 1.5 µs
DRAW = 40_000  # a draw, however small: a generator set to its place, 2.5 µs
DRAWN = {"normal": 270, "uniform": 90, "orthogonal": 270}  # a number drawn: 17 ns, and 6 ns
HAAR = 2  # a number drawn of an orthogonal matrix, for each of its rows or columns: QR, n³/8 ns

Cost = Callable[[int, int], float]  # of a layer of these fans


def work(block: Block, settings: Settings) -> float:
    """Multiplications, or what takes as long, of a block: draws, products, norms, passes over arrays, tables."""
    replicates = len(block.replicates)
    pieces = -(-replicates // at_once(block, settings))
    rows = sum(spec.depth for spec in block.specs)
    each = draws(block) + ROW * rows + sum(_passes(group, block, settings) for group in groups(block.specs))
    return replicates * each + pieces * calls(block)


def calls(block: Block) -> float:
    """The part of its work that all replicates share which run at once."""
    return sum(2 * CALLS * group.endings[0].depth for group in groups(block.specs))


def draws(block: Block) -> float:
    """The part of one replicate's work that all lanes share."""
    family, deepest = block.specs[0].family, max(spec.depth for spec in block.specs)
    ends = {(spec.depth, spec.output_width) for spec in block.specs}

    def draw(fan_in: int, fan_out: int) -> float:
        haar = HAAR * min(fan_in, fan_out) if family == "orthogonal" else 0
        return DRAW + (DRAWN[family] + haar) * fan_in * fan_out

    last = sum(draw(_fan_in(block, depth), width) for depth, width in ends)
    return 2 * DRAW + _hidden(block, deepest, draw) + last  # inputs and targets are draws as well


def _passes(group: Group, block: Block, settings: Settings) -> float:
    """The lanes of a group up once, with every ending's output layer, and down from each ending."""
    batch, deepest = settings.data.batch, group.endings[0].depth
    rising = 1 if group.scales else len(group.lanes)
    superposed = sum(group.shares_starts(lane, settings.cost) for lane in range(len(group.lanes)))
    falling = len(group.lanes) - superposed + (2 if superposed else 0)
    if group.scales and settings.cost == "linear":
        falling = 1

    def up(fan_in: int, fan_out: int) -> float:
        """r @ W, and the Gram matrix of r where ∂C/∂W has its norm by it."""
        gram = batch * fan_in if by_gram(batch, fan_in, fan_out) else 0
        return batch * (fan_in * fan_out + gram + ELEMENTWISE * fan_out)

    def down(fan_in: int, fan_out: int) -> float:
        """∂C/∂z @ W.T, and the Gram matrix of ∂C/∂z; or ∂C/∂W itself, which is passed over once more."""
        if by_gram(batch, fan_in, fan_out):
            return batch * (fan_in * fan_out + batch * fan_out + ELEMENTWISE * fan_out)
        return 2 * batch * fan_in * fan_out + fan_in * fan_out + ELEMENTWISE * batch * fan_out

    heads = [(_fan_in(block, ending.depth), ending.output_width) for ending in group.endings]
    rise = _hidden(block, deepest, up) + sum(up(*fans) for fans in heads)
    fall = sum(_hidden(block, ending.depth, down) for ending in group.endings) + sum(down(*fans) for fans in heads)
    layers = sum(ending.depth for ending in group.endings)
    return rising * rise + falling * fall + superposed * SUPERPOSED * batch * block.specs[0].width * layers


def _hidden(block: Block, depth: int, cost: Cost) -> float:
    """All layers but the last of a network."""
    spec = block.specs[0]
    return (cost(spec.input_width, spec.width) if depth > 1 else 0) + max(0, depth - 2) * cost(spec.width, spec.width)


def _fan_in(block: Block, depth: int) -> int:
    """Of the last layer."""
    return block.specs[0].width if depth > 1 else block.specs[0].input_width
