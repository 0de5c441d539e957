"""Makes names of any number of molecules unique, with eight bytes of memory for each."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

_RECENT = 1 << 12  # names that are looked up in a Python set before they move to the sorted array


class UniqueNames:
    """Makes names unique as `morered.formats.Reading` does: the second "water" becomes "water#2".

    Of a name that came once its digest (64 bits) is kept, of those that came again the name. Two of a million different names
    have the same digest once in forty million libraries; the later one then gets a "#2" that it does not need.
    """

    def __init__(self) -> None:
        self._settled = np.empty(0, np.uint64)
        self._recent: set[int] = set()
        self._copies: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """``name``, or with a number behind it where it came before."""
        given = name
        while not self._add(name):
            self._copies[given] = self._copies.get(given, 1) + 1
            name = f"{given}#{self._copies[given]}"
        return name

    def _add(self, name: str) -> bool:
        """Keep a name; False where it is known."""
        digest = int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
        if digest in self._recent:
            return False
        place = np.searchsorted(self._settled, np.uint64(digest))
        if place < len(self._settled) and self._settled[place] == digest:
            return False
        self._recent.add(digest)
        if len(self._recent) >= _RECENT:
            self._settled = np.sort(np.concatenate([self._settled, np.fromiter(self._recent, np.uint64)]))
            self._recent = set()
        return True
