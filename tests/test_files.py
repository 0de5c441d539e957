"""Files appear complete or not at all."""

import hashlib
import os
import threading
from pathlib import Path

import pytest

from morered import files


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder" / "result.csv"
    with files.atomic_path(target) as temporary:
        temporary.write_text("whole")
        assert temporary.parent == target.parent
        assert temporary.name.endswith("result.csv")
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
