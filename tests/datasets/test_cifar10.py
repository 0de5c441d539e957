"""CIFAR-10 in its published format, and the photographs that stand in for it."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from morered.datasets import cifar10
from morered.datasets.integrity import ArchiveError


def write_archive(path: Path, batches: dict[str, object]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in batches.items():
            pickled = content if isinstance(content, bytes) else pickle.dumps(content, protocol=2)
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(pickled)
            archive.addfile(entry, io.BytesIO(pickled))
    return path


def batch(count: int, seed: int) -> dict[bytes, object]:
    rows = np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)
    return {b"batch_label": b"x", b"labels": [0] * count, b"data": rows, b"filenames": [b"a.png"] * count}


@pytest.fixture
def archive(tmp_path) -> Path:
    names = ["data_batch_2", "data_batch_1", "test_batch"]
    return write_archive(
        tmp_path / "cifar.tar.gz", {"batches.meta": {b"x": 1}, **{name: batch(4, k) for k, name in enumerate(names)}}
    )


def test_images_come_in_order_with_colours_last(archive):
    images = cifar10.from_archive(archive, complete=False)
    assert images.name == "CIFAR-10"
    assert images.pixels.shape == (8, 32, 32, 3)
    first = batch(4, 1)[b"data"][0]
    assert images.pixels[0, 0, 1].tolist() == [first[1], first[1024 + 1], first[2048 + 1]]
    assert images.pixels[0, 2, 0].tolist() == [first[64], first[1024 + 64], first[2048 + 64]]
    assert len(cifar10.from_archive(archive, "test", complete=False).pixels) == 4


def test_vectors_run_from_minus_one_to_one(archive):
    vectors = cifar10.from_archive(archive, complete=False).vectors()
    assert vectors.shape == (8, 3072)
    assert vectors.min() == -1.0
    assert vectors.max() == 1.0


def test_an_incomplete_archive_is_refused(archive):
    with pytest.raises(ArchiveError, match=r"cifar\.tar\.gz: holds 8 images for train"):
        cifar10.from_archive(archive)
    with pytest.raises(ValueError, match="no part 'validation'"):
        cifar10.from_archive(archive, "validation")


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


@pytest.mark.parametrize("content", [b"no pickle", batch(1, 0) | {b"data": np.zeros((1, 5), np.uint8)}, {b"other": 1}, [1], b""])
def test_a_batch_of_something_else_is_named(tmp_path, content):
    path = write_archive(tmp_path / "a.tar.gz", {"data_batch_1": content})
    with pytest.raises(ArchiveError, match=r"a\.tar\.gz: cifar-10-batches-py/data_batch_1: no batch of images"):
        cifar10.from_archive(path, complete=False)


def test_a_pickle_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_archive(tmp_path / "a.tar.gz", {"data_batch_1": {b"data": Harmful()}})
    with pytest.raises(ArchiveError, match=r"posix\.mkdir has no place in it"):
        cifar10.from_archive(path, complete=False)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("damage", ["cut", "no archive", "empty", "absent"])
def test_a_damaged_archive_is_named(archive, damage):
    content = archive.read_bytes()
    if damage == "absent":
        archive.unlink()
    else:
        archive.write_bytes({"cut": content[: len(content) // 2], "no archive": b"hello" * 100, "empty": b""}[damage])
    with pytest.raises(FileNotFoundError if damage == "absent" else ArchiveError, match=r"cifar\.tar\.gz: "):
        cifar10.from_archive(archive, complete=False)


def test_photographs_stand_in():
    from sklearn.datasets import load_sample_images

    images = cifar10.from_photographs()
    assert images.pixels.shape == (2 * 25 * 39, 32, 32, 3)
    assert "scikit-learn" in images.name
    photograph = load_sample_images().images[0]
    assert np.array_equal(images.pixels[0], photograph[:32, :32])
    assert np.array_equal(images.pixels[39 + 2], photograph[16:48, 32:64])
    assert images.vectors().shape == (1950, 3072)
    assert len(cifar10.from_photographs(32).pixels) == 2 * 13 * 20
    with pytest.raises(ValueError, match="stride"):
        cifar10.from_photographs(0)
