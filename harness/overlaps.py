"""Which blocks of one results folder may hold networks that a block of another folder holds."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Extent:
    """The coordinates in a block, by their keys, and its first and last replicate."""

    keys: frozenset[str]
    first: int
    last: int

    @classmethod
    def of(cls, networks: Path) -> "Extent":
        """Of a part of the table `networks`."""
        names = pq.ParquetFile(networks).read(["network"])["network"].combine_chunks()
        texts = names.dictionary_decode() if pa.types.is_dictionary(names.type) else names
        parted = [name.rpartition("-") for name in texts.to_pylist()]
        numbers = [int(number) for _, _, number in parted]
        return cls(frozenset(key for key, _, _ in parted), min(numbers), max(numbers))


class Overlaps:
    """For each block of one folder, those of another that overlap it; no other has a network in common with it."""

    def __init__(self, extents: Sequence[Extent], others: Sequence[Extent]):
        self.extents = extents
        by_key: dict[str, list[tuple[int, int, int]]] = {}  # first and last replicate, number of the block
        for number, other in enumerate(others):
            for key in other.keys:
                by_key.setdefault(key, []).append((other.first, other.last, number))
        self.by_key = {key: sorted(blocks) for key, blocks in by_key.items()}
        self.last_so_far = {key: list(accumulate((last for _, last, _ in blocks), max))
                            for key, blocks in self.by_key.items()}  # fmt: skip

    def of_part(self, part: int) -> list[int]:
        """Numbers of the other folder's blocks, ascending."""
        mine, found = self.extents[part], set()
        for key in mine.keys & self.by_key.keys():
            blocks, last_so_far = self.by_key[key], self.last_so_far[key]
            place = bisect_right(blocks, mine.last, key=lambda block: block[0])
            while place and last_so_far[place - 1] >= mine.first:
                place -= 1
                found.add(blocks[place][2])
        return sorted(found)
