"""Files appear complete or not at all."""

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from morered import files


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder" / "result.csv"
    with files.atomic_path(target) as temporary:
        temporary.write_text("whole")
        assert temporary.parent.parent == target.parent
        assert temporary.name == "result.csv"
        assert not target.exists()
    assert target.read_text() == "whole"
    assert os.listdir(target.parent) == ["result.csv"]


def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "result.h5"
    target.write_text("old")

    def fail() -> None:
        with files.atomic_path(target) as temporary:
            temporary.write_text("half")
            Path(f"{temporary}-journal").write_text("left by a library")
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        fail()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.h5"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing was written"), files.atomic_path(tmp_path / "result.csv"):
        pass


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "real" / "file.txt")
    with files.atomic_path(link) as temporary:
        temporary.write_text("text")
    assert link.is_symlink()
    assert (tmp_path / "real" / "file.txt").read_text() == "text"


@pytest.fixture
def umask() -> Iterator[int]:
    """The usual one, whatever this process was started with."""
    before = os.umask(0o022)
    yield 0o022
    os.umask(before)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, mode: int, umask: int) -> None:
    target = tmp_path / "result.csv"
    target.write_text("secret")
    target.chmod(mode)
    with files.atomic_path(target) as temporary:
        assert stat.S_IMODE(temporary.parent.stat().st_mode) & 0o077 == 0  # nobody else reads it before it has them
        temporary.write_text("new secret")
    assert target.read_text() == "new secret"
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_a_new_file_has_the_permissions_of_new_files(tmp_path: Path, umask: int) -> None:
    with files.atomic_path(tmp_path / "open.csv") as temporary:
        temporary.write_text("text")
    os.umask(0o077)
    with files.atomic_path(tmp_path / "closed.csv") as temporary:
        temporary.write_text("text")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("open.csv", "closed.csv")]
    assert modes == [0o644, 0o600]


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 251 + ".csv")
    with files.atomic_path(target) as temporary:
        temporary.write_text("text")
    assert os.listdir(tmp_path) == [target.name]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), files.atomic_path(tmp_path):
        pass


def test_a_pipe_is_written_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()))
    reader.start()
    with files.atomic_path(pipe) as path:
        path.write_text("through")
    reader.join(timeout=10)
    assert received == ["through"]
    assert pipe.is_fifo()


def test_names_with_pattern_characters_are_cleaned_up(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), files.atomic_path(tmp_path / "x[1]*.txt") as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_sha256(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(content)
    assert files.sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()
