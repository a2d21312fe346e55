"""The PyTorch loop with PyTorch's own setting for subnormal numbers: they are kept, and slow."""

from contextlib import nullcontext
from dataclasses import replace

from benchmarks.peers import torch_loop

PEER = replace(torch_loop.PEER, name="PyTorch loop, its default: subnormals kept", around=nullcontext)
