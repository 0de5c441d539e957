"""Prepares a process that has computed with PyTorch for being forked.

A fork has one thread. The threads among which PyTorch, and the kernels after it, divided their work are gone, and the fork would
wait for them for ever. With one thread it never asks for them.
"""

from __future__ import annotations

import os
import sys
from functools import cache


@cache
def prepare() -> None:
    """From now on, forks of this process compute with one thread; `torch.set_num_threads` there hangs what follows."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_use_one_thread)


def _use_one_thread() -> None:
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
