"""What every workflow script does around its one call: log to the rule's file, show progress now and then on the terminal."""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from morered.study import times

SECONDS_BETWEEN_LINES = 15.0


class _Tee:
    """Writes all to the log and, at most every few seconds, the newest progress line to the terminal as a line of its own."""

    encoding = "utf-8"

    def __init__(self, log: TextIO, terminal: TextIO, label: str) -> None:
        self._log, self._terminal, self._label = log, terminal, label
        self._shown = time.monotonic()
        self._line = ""

    def write(self, text: str) -> int:
        self._log.write(text)
        self._log.flush()
        # A progress bar redraws itself after a carriage return: its newest state is the last non-empty piece.
        pieces = [piece for piece in (self._line + text).replace("\n", "\r").split("\r") if piece.strip()]
        self._line = pieces[-1] if pieces and not text.endswith("\n") else ""
        newest = pieces[-1].strip() if pieces else ""
        if "%|" in newest and time.monotonic() - self._shown > SECONDS_BETWEEN_LINES:
            self._shown = time.monotonic()
            print(f"[{self._label}] {newest}", file=self._terminal, flush=True)
        return len(text)

    def flush(self) -> None:
        self._log.flush()

    def isatty(self) -> bool:
        return False


@contextlib.contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar for the library's progress callbacks: gives a function of (done, all)."""
    with tqdm(desc=what, mininterval=1.0, dynamic_ncols=False) as bar:

        def tell(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tell


@contextlib.contextmanager
def logged(snakemake: Any) -> Iterator[None]:
    """Send the script's output to its rule's log and its progress, now and then, to the terminal.

    An exception's message goes to both, its traceback to the log. A picture that was made is told on the terminal, and the log
    ends with what the job took (`morered.study.times`).
    """
    label = " ".join([snakemake.rule, *dict(snakemake.wildcards).values()])
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as log:
        tee = _Tee(log, sys.stderr, label)
        with contextlib.redirect_stdout(tee), contextlib.redirect_stderr(tee):
            try:
                yield
            except BaseException as error:
                traceback.print_exc(file=log)
                print(
                    f"[{label}] {type(error).__name__}: {error}\n[{label}] the whole log: {path}", file=tee._terminal, flush=True
                )
                raise SystemExit(1) from error
        log.write(times.taken(snakemake.rule))
    for picture in (made for made in snakemake.output if str(made).endswith(".png")):
        print(f"[{label}] picture: {picture}", file=sys.stderr, flush=True)
