"""Verdicts on a probed model: what is wrong with its gradients, where, whose fault it is, and what to change.

Nothing here imports torch before a probe runs; results of probes are read without it.
"""
