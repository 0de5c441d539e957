"""The bar that long transfers show."""

from __future__ import annotations

from tqdm import tqdm


def byte_bar(name: str, total: int, progress: bool | None) -> tqdm:
    """A bar over bytes; ``progress`` None shows it on a terminal only."""
    hidden = None if progress is None else not progress
    return tqdm(total=total, desc=name, unit="B", unit_scale=True, unit_divisor=1024, disable=hidden)
