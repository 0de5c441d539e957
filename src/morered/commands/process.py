"""The process of a command: its memory allocator, signals and standard streams, and what the programs that it starts inherit.

A command never runs code that lies in the current folder. The console script does not have that folder on its path, and the
programs started from here are kept from it by ``PYTHONSAFEPATH``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from importlib import resources
from io import TextIOWrapper
from types import FrameType

#: Settings of glibc's allocator: variable of the environment and its value, parameter of ``mallopt`` and its value. Large
#: tensors that are freed to the system and faulted in again cost more than the arithmetic on them: so nothing is mapped on its
#: own, nothing is given back, and the heap grows by 64 MB at a time.
_ALLOCATOR = (
    ("MALLOC_MMAP_MAX_", "0", -4, 0),
    ("MALLOC_TRIM_THRESHOLD_", "8000000000", -1, -1),  # -1: never; the variable has no such value
    ("MALLOC_TOP_PAD_", "67108864", -2, 67108864),
)

#: Signals that end a command as Ctrl-C does, where the system has them: a batch system's and a closed terminal's.
STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def set_up() -> None:
    """Prepare the process of the console script; to be called once, before anything heavy is imported."""
    tune_allocator()
    protect_children()
    stop_as_on_ctrl_c()
    tolerate_encodings()


def tune_allocator() -> None:
    """Keep freed memory for the next tensors, in this process and in those that it starts; nothing without glibc.

    A setting that the environment already has stays as it is.
    """
    if sys.platform != "linux" or any(name in os.environ for name, *_ in _ALLOCATOR):
        return
    with suppress(OSError, AttributeError):  # another C library has no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        for name, text, parameter, value in _ALLOCATOR:
            mallopt(parameter, value)
            os.environ[name] = text


def protect_children() -> None:
    """Keep Python programs that are started from here, and PySCF, from running files of the current folder."""
    os.environ["PYTHONSAFEPATH"] = "1"
    if "PYSCF_CONFIG_FILE" not in os.environ:  # PySCF runs .pyscf_conf.py of the current folder, then of the home folder
        own = os.path.join(os.path.expanduser("~"), ".pyscf_conf.py")
        none = str(resources.files("morered") / "dft" / "pyscf_conf.py")
        os.environ["PYSCF_CONFIG_FILE"] = own if os.path.isfile(own) else none


def stop_as_on_ctrl_c() -> None:
    """Let the first of `STOP_SIGNALS` that comes raise KeyboardInterrupt; one that is ignored (``nohup``) stays ignored."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    """Stop, and be deaf to what follows while results are written: a terminal that closes sends its signal twice."""
    for further in STOP_SIGNALS:
        signal.signal(further, signal.SIG_IGN)
    raise KeyboardInterrupt


def tolerate_encodings() -> None:
    """Print what the encoding of a standard stream cannot hold as an escape, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
