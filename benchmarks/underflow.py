"""Where a peer's gradient reads zero although it is not: its numbers carry no exponent."""

from collections.abc import Sequence

import numpy as np

from benchmarks.grids import Stack
from benchmarks.peers import Peer

STACK = Stack("sigmoid", (1.0,), depth=1000, width=64, batch=64)


def lines(peers: Sequence[Peer], dtypes: Sequence[str]) -> list[str]:
    """For each peer, how many layers below the output still have a norm."""
    head = (
        f"Layers from the output down, of {STACK.depth}, until a peer's ‖∂C/∂z‖ reads 0 (sigmoid, He's "
        f"initialisation, width {STACK.width}); the harness's never does:"
    )
    table = ["| " + " | ".join(["", *dtypes]) + " |", "|" + "---|" * (1 + len(dtypes))]
    for peer in peers:
        reached = (str(layers_with_a_norm(peer, dtype)) for dtype in dtypes)
        table.append(f"| {peer.name} | {' | '.join(reached)} |")
    return [head, "", *table]


def layers_with_a_norm(peer: Peer, dtype: str) -> int:
    with peer.around():
        norms = peer.record(STACK, peer.draw(STACK, dtype))["log10_grad_preactivations"][0]
    return int(np.isfinite(norms).sum())
