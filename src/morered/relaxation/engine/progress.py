"""A bar on the terminal: molecules done, steps, time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from morered.relaxation.result import Progress

_EVERY = 0.2  # seconds between two looks at the counters


@contextmanager
def progress_bar(shown: bool, total: int, done: int = 0) -> Iterator[Progress]:
    """A function to tell the progress to; with ``shown`` it moves a bar of ``total`` molecules, ``done`` of them beforehand."""
    if not shown:
        yield _ignore
        return
    from tqdm.auto import tqdm  # slow to import

    with tqdm(total=total, initial=done, unit="mol", file=sys.stderr, dynamic_ncols=True) as bar:
        last = 0.0
        offset = done

        def tell(done: int, of: int, steps: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < _EVERY and done < of:
                return
            last = now
            bar.set_postfix_str(f"{steps} steps", refresh=False)
            bar.update(offset + done - bar.n)
            bar.refresh()

        yield tell


def _ignore(done: int, of: int, steps: int) -> None:
    """Nobody looks."""
