"""The worker's side of `morered.parallel`: answer tasks until the pipe closes."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

import cloudpickle

#: Ctrl-C, and what a batch system or a closed terminal sends to a whole group of processes.
STOPS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def work(pipe: Connection) -> None:
    """Body of a worker process. The parent sends a function, then tasks one by one; each is answered by (kind, value).

    Kinds: ``"ready"`` once the function is loaded, or ``"unusable"`` (why not); then ``"result"`` (what the function returned) or
    ``"raised"`` (a sentence and the traceback). The process ends when the parent does, however that went.
    """
    _ignore_stops()
    messages: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, messages), daemon=True).start()
    try:
        function = pickle.loads(messages.get())
    except BaseException as error:
        _answer(pipe, "unusable", f"the function cannot be loaded there: {describe(error)}")
        return
    _answer(pipe, "ready", None)
    while True:
        message = messages.get()
        try:
            _answer(pipe, "result", function(pickle.loads(message)))
        except BaseException as error:  # SystemExit too: a library's sys.exit() is a failed task, not the end of the worker
            _answer(pipe, "raised", (describe(error), traceback.format_exc()))


def _receive(pipe: Connection, messages: SimpleQueue[bytes]) -> None:
    """Take what the parent sends, in a thread of its own, so that its end is seen while a task is at work."""
    with suppress(EOFError, OSError):
        while True:
            messages.put(pipe.recv_bytes())
    os._exit(1)


def _answer(pipe: Connection, kind: str, value: Any) -> None:
    message = cloudpickle.dumps((kind, value))  # apart, so that what cannot be sent is an error of the task
    with suppress(OSError):  # nobody is there to read it: the other thread ends this process
        pipe.send_bytes(message)


def _ignore_stops() -> None:
    """Ctrl-C and its like go to the whole group of processes; the parent decides what becomes of a worker.

    The worker was started with the signals blocked: one that came while Python started or imported is dropped now that it is
    ignored.
    """
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def describe(error: BaseException) -> str:
    """An exception as one line for people: its kind and what it says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
