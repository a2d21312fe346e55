"""The work of a block, in multiplications: compares blocks with each other, and a part of a block with the whole.

The unit is one multiplication of a matrix product of width 128 in float64, 1/16 ns with its overhead. The other costs
are measured by `python -m benchmarks.rates`; they need to be right to a factor of two.
"""

from collections.abc import Callable
from itertools import pairwise

from harness.engine.gram import gram_is_cheaper
from harness.engine.lanes.groups import Block, Group, Settings
from harness.execution.planning.memory import replicates_at_once
from harness.execution.planning.training import training_work

ELEMENTWISE = 120  # a number in one layer of one pass: a dozen operations on it, 7.5 ns
SUPERPOSED = 32  # a number in one layer of a superposed lane: a few operations on it, 2 ns
MAGNITUDE = 16  # an entry of ∂C/∂W in the mean of its magnitudes: two operations on it, 1 ns
CALLS = 420_000  # one layer of one pass, however small: numpy's calls, 26 µs
REMEDIED = 120  # a number in one layer of one pass of networks with a remedy, more than without: 7.5 ns
REMEDIED_CALLS = 900_000  # one layer of one pass of them, more than without: layers are summed one by one, 56 µs
STANDARDISED = 90  # a weight of a lane whose trained weights have a gradient of their own, 6 ns
ROW = 25_000  # a row of `layers`: its measures, and the tables, 1.5 µs
DRAW = 40_000  # a draw, however small: setting the generator to its position, 2.5 µs
DRAWN = {"normal": 270, "uniform": 90, "orthogonal": 470, "truncated_normal": 900, "constant": 10}  # a number drawn
# A number drawn of an orthogonal matrix, for each of its rows or columns: QR, n³/8 ns, beside the
# 12 ns more in DRAWN. Beside a Gaussian network, one of width 16 to 1024 takes 0.7 to 1.4 times what it is charged;
# powers of two are the slow ones.
HAAR = 2

Cost = Callable[[int, int], float]  # from fan_in and fan_out of a layer to its multiplications


def work(block: Block, settings: Settings) -> float:
    """Work of a block in multiplications: draws, products, norms, operations on arrays, tables, training."""
    replicates = len(block.replicates)
    chunks = -(-replicates // replicates_at_once(block, settings))
    rows = sum(spec.depth for spec in block.specs)
    per_replicate = draws(block) + ROW * rows + sum(_passes(group, block, settings) for group in block.groups)
    return replicates * per_replicate + chunks * calls(block) + training_work(block, settings)


def calls(block: Block) -> float:
    """The part of a block's work that replicates share if they run at once."""
    return sum(2 * (CALLS + (REMEDIED_CALLS if group.remedy else 0)) * group.deepest for group in block.groups)


def draws(block: Block) -> float:
    """The part of one replicate's work that all lanes share: its draws."""
    family, deepest = block.family, max(spec.depth for spec in block.specs)
    ends = {(spec.depth, spec.output_width) for spec in block.specs}

    def draw(fan_in: int, fan_out: int) -> float:
        haar = HAAR * min(fan_in, fan_out) if family == "orthogonal" else 0
        return DRAW + (DRAWN[family] + haar) * fan_in * fan_out

    last = sum(draw(_fan_in(block, depth), width) for depth, width in ends)
    hidden = min(deepest, 3) if block.specs[0].tied else deepest  # layers down to the last one that is drawn
    return 2 * DRAW + _hidden(block, hidden, draw) + last  # inputs and targets are draws as well


def _passes(group: Group, block: Block, settings: Settings) -> float:
    """The lanes of a group forward once, with every output layer, and backward from each output layer."""
    batch, deepest, remedy = settings.data.batch, group.deepest, group.remedy
    elementwise = ELEMENTWISE + (REMEDIED if remedy else 0)
    standardised = remedy is not None and remedy.standardised
    products = 2 if remedy is not None and remedy.within is not None else 1  # of which one finds LSUV's gain

    def forward(fan_in: int, fan_out: int) -> float:
        """r @ W, and the Gram matrix of r if it is used for the norm of ∂C/∂W."""
        gram = batch * fan_in if not standardised and gram_is_cheaper(batch, fan_in, fan_out) else 0
        return batch * (products * fan_in * fan_out + gram + elementwise * fan_out)

    def backward(fan_in: int, fan_out: int) -> float:
        """∂C/∂z @ W.T, and the Gram matrix of ∂C/∂z; or ∂C/∂W itself and its sum of squares."""
        entries = fan_in * fan_out
        formed = (batch + MAGNITUDE) * entries if settings.mean_abs_grad_weights else 0
        if not standardised and gram_is_cheaper(batch, fan_in, fan_out):
            return batch * (entries + batch * fan_out + elementwise * fan_out) + formed
        formed += (1 + (STANDARDISED if standardised else 0)) * entries
        return 2 * batch * entries + formed + elementwise * batch * fan_out

    ends = [(_fan_in(block, output.depth), output.width) for output in group.outputs]
    once = _hidden(block, deepest, forward) + sum(forward(*fans) for fans in ends)
    back = sum(_hidden(block, output.depth, backward) for output in group.outputs)
    back += sum(backward(*fans) for fans in ends)
    passes = group.forward_lanes * once + group.backward_lanes(settings.cost) * back
    return passes + _superpositions(group, block, settings)


def _superpositions(group: Group, block: Block, settings: Settings) -> float:
    """What lanes take that are superpositions of two passes."""
    numbers = settings.data.batch * block.width * sum(output.depth for output in group.outputs)  # of one lane
    return group.superposed_lanes(settings.cost) * SUPERPOSED * numbers


def _hidden(block: Block, depth: int, cost: Cost) -> float:
    """Cost of all layers but the last of a network."""
    if block.widths:
        return sum(cost(*fans) for fans in pairwise(block.widths[:depth]))
    first = cost(block.input_width, block.width) if depth > 1 else 0
    return first + max(0, depth - 2) * cost(block.width, block.width)


def _fan_in(block: Block, depth: int) -> int:
    """Width of the layer below the last of a network."""
    return block.fan_in(depth - 1)
