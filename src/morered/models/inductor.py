"""What `torch.compile` needs of the machine: a C++ compiler that works, and a folder that nobody else can write.

Inductor loads what it compiled from its cache, by default from the shared temporary folder under a name that anyone can compute.
"""

from __future__ import annotations

import atexit
import functools
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

#: Inductor's own variable: a folder that the user has chosen is left alone.
CACHE = "TORCHINDUCTOR_CACHE_DIR"
#: Seconds after which a compiler hangs that was given an empty program.
PATIENCE = 20.0


@functools.cache
def problem() -> str | None:
    """Why `torch.compile` would fail here, or None. Sets Inductor's cache where the user has not."""
    named = os.environ.get("CXX")
    compiler = shlex.split(named) if named else [next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), "")]
    if not compiler or not shutil.which(compiler[0]):
        return f"CXX names {named}, which is not there" if named else "there is no C++ compiler"
    if len(compiler) > 1:
        return f"CXX is {named}, and PyTorch takes the name of one program only"
    try:
        command = [*compiler, "-x", "c++", "-E", "-"]
        done = subprocess.run(command, input="int answer;\n", text=True, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return f"{compiler[0]} hangs"
    if done.returncode or "answer" not in done.stdout:
        return f"{compiler[0]} fails: {done.stderr.strip()[-500:]}"
    os.environ.setdefault(CACHE, str(private_folder("inductor")))
    return None


def private_folder(name: str) -> Path:
    """A folder in the user's cache (mode 0700) that nobody else can write or replace; else a new one that lives until the end."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "morered" / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(folder, os.W_OK) and _own(folder):
            return folder
    except OSError:
        pass
    folder = Path(tempfile.mkdtemp(prefix="morered-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _own(folder: Path) -> bool:
    """Whether a folder is no link, and only this user (or root) may write it or rename one of those it lies in."""
    trusted = {0, os.getuid()}
    for part in (folder.absolute(), *folder.resolve().parents):
        status = part.lstat()
        shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not (status.st_mode & stat.S_ISVTX and part != folder)
        if status.st_uid not in trusted or shared or not stat.S_ISDIR(status.st_mode):
            return False
    return folder.lstat().st_uid == os.getuid()
