"""The trunk: tensors that every path from the loss to the data passes through.

The gradient's norm telescopes along the trunk only. Beside it, in a branch, factors multiply to nothing that has a
meaning: a residual network's gradient is the sum over its paths.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import Node

from harness.execution.probe.hooks.tape import Guard, Tape
from harness.execution.probe.record import Row
from harness.execution.probe.tensors import dense, size_of

VIEWS = (  # nodes whose gradient has the entries of that above, in another shape
    *("View", "UnsafeView", "Reshape", "Transpose", "Permute", "TBackward", "Squeeze", "Unsqueeze", "Expand"),
    *("Alias", "Clone", "ToCopy"),
)


def mark_trunk(tape: Tape, root: Node) -> None:
    """Mark the rows on the trunk below a node, and add rows for trunk tensors that no recorded call made.

    Their gradients are recorded by hooks in the backward pass that follows.
    """
    rows = {id(row): row for row in tape.recording.rows}
    by_node: dict[Node, Row] = {node: rows[key] for key, node in tape.nodes.items() if key in rows}
    cuts = trunk(root, by_node)
    memory, inside_calls = _Memory(tape.guard), _sequence_numbers_inside(tape)
    upper = None
    for node in cuts:
        if node not in by_node and (node._sequence_nr() in inside_calls or node.name().startswith(VIEWS)):
            continue
        row = by_node.get(node) or _row_of(tape, node, by_node)
        by_node[node] = row
        row.on_trunk = True
        is_sum = upper is not None and upper.name().startswith("AddBackward") and _is_argument(node, upper)
        memory.attach(node, row, by_node[upper] if is_sum and upper is not None else None)
        upper = node


def _sequence_numbers_inside(tape: Tape) -> set[int]:
    """Sequence numbers of nodes that a recorded call made on the way to its result, its alias included."""
    ends = {key: node._sequence_nr() for key, node in tape.nodes.items()}
    return {number for key, start in tape.started.items() for number in range(start, ends.get(key, start))}


def trunk(root: Node, data: Collection[Node]) -> list[Node]:
    """The nodes, from the root down, through which every path from it to a node of `data` goes.

    One sweep in topological order counts the edges that lead from nodes above to nodes below: where none is open, all
    paths meet.
    """
    order = _topological(root, data)
    leads = set(order)
    below = {node: [n for n, _ in node.next_functions if n in leads] for node in order}
    incoming: defaultdict[Node, int] = defaultdict(int)
    for node in order:
        for lower in below[node]:
            incoming[lower] += 1
    cuts, open_edges = [], 0
    for node in order:
        open_edges -= incoming[node]
        if open_edges == 0:
            cuts.append(node)
        if not below[node]:
            break  # a path ends here, so no node further down is on all of them
        open_edges += len(below[node])
    return cuts


def _topological(root: Node, data: Collection[Node]) -> list[Node]:
    """The nodes from which data are reached, each before those below it."""
    finished: list[Node] = []
    seen, stack = {root}, [(root, iter(root.next_functions))]
    while stack:
        node, rest = stack[-1]
        for lower, _ in rest:
            if lower is not None and lower not in seen:
                seen.add(lower)
                stack.append((lower, iter(lower.next_functions)))
                break
        else:
            finished.append(node)
            stack.pop()
    leads: set[Node] = set()
    for node in finished:
        if node in data or any(lower in leads for lower, _ in node.next_functions):
            leads.add(node)
    return [node for node in reversed(finished) if node in leads]


def _row_of(tape: Tape, node: Node, by_node: dict[Node, Row]) -> Row:
    """A row for a tensor of the trunk that no recorded call made, such as a residual sum, where it was computed."""
    names = tape.module_results.get(id(node), [])
    op = node.name().rstrip("0123456789").removesuffix("Backward").lower()
    row = Row(names[0] if names else "", op, "other", has_graph=True)
    made = {id(other): known._sequence_nr() for known, other in by_node.items()}
    rows = tape.recording.rows
    later = (i for i, other in enumerate(rows) if made.get(id(other), -1) > node._sequence_nr())
    rows.insert(next(later, len(rows)), row)
    return row


def _is_argument(node: Node, sum_node: Node) -> bool:
    """Whether a sum has this node's tensor as one of its arguments, and something else as the other."""
    below = [lower for lower, _ in sum_node.next_functions]
    return len(below) == 2 and below.count(node) == 1 and None not in below


@dataclass
class _Memory:
    """The gradient of the trunk tensor above, until that below has come."""

    guard: Guard
    above: Tensor | None = None

    def attach(self, node: Node, row: Row, sum_row: Row | None) -> None:
        """Record the gradient that reaches a node. `sum_row` is the residual sum whose skip starts here."""

        def before(gradients: tuple[Tensor | None, ...]) -> None:
            self.guard(self._arrived, gradients, row, sum_row)

        node.register_prehook(before)

    def _arrived(self, gradients: tuple[Tensor | None, ...], row: Row, sum_row: Row | None) -> None:
        gradient = next((g for g in gradients if g is not None), None)
        if gradient is None:
            return
        if row.grad_result is None:
            row.grad_result = size_of(gradient)
        if sum_row is not None and self.above is not None and self.above.shape == gradient.shape:
            _block(sum_row, dense(self.above).double(), dense(gradient).double())
        self.above = gradient.detach() if row.op in ("add", "sub") else None


def _block(row: Row, above: Tensor, below: Tensor) -> None:
    """The branch of a residual block: ‖below‖² / ‖above‖² = 1 + b² + 2·b·cosine, b its part relative to the skip's."""
    largest = float(above.abs().max())
    if not 0 < largest < float("inf"):
        return
    skip, branch = above / largest, (below - above) / largest
    norm, branch_norm = torch.linalg.vector_norm(skip), torch.linalg.vector_norm(branch)
    row.branch = float(branch_norm / norm)
    if branch_norm > 0:
        row.branch_cosine = float((skip * branch).sum() / (norm * branch_norm))
