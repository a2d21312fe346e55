"""Recording of a PyTorch model: one forward and one backward pass, seen operation by operation.

The modules `record` and `tables` need no torch; the others import it, and are imported when a probe runs.
"""
