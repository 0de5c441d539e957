"""What commands say on standard error. Each message is one line, whatever the names hold that it quotes."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from morered.escaping import printable
from morered.streams import discard


def say(sentence: str) -> None:
    """Print one line on standard error; nothing where nobody is there to read it (a closed pipe or terminal)."""
    try:
        print(printable(sentence), file=sys.stderr, flush=True)
    except OSError:
        discard(sys.stderr)


def tell(command: str, sentences: Iterable[str]) -> None:
    """Print sentences about a command, one a line."""
    for sentence in sentences:
        say(f"morered {command}: {sentence}")
