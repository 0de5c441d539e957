"""Small natural images for Figure A1: CIFAR-10, or patches of two photographs where it cannot be downloaded.

Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009): 60 000 colour images of 32 x 32 pixels, D = 3072.
The stand-in cuts patches of that size from the two sample photographs that scikit-learn ships; a figure made of them says so.

Shapes: I images, D = 3072.
"""

from __future__ import annotations

import os
import pickle
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from morered.datasets.integrity import ArchiveError, reading
from morered.extras import needs

SIDE = 32
DIMENSION = 3 * SIDE * SIDE
TRAIN, TEST = 50_000, 10_000


@dataclass(frozen=True)
class Images:
    """Images [I, 32, 32, 3] (row, column, red-green-blue; 0..255) and the name of where they come from, for the figure."""

    pixels: NDArray[np.uint8]
    name: str

    def vectors(self) -> NDArray[np.float32]:
        """The images as vectors [I, D] with entries from -1 to 1."""
        return self.pixels.reshape(len(self.pixels), DIMENSION).astype(np.float32) / 127.5 - 1.0


def from_archive(archive: str | os.PathLike[str], part: str = "train", *, complete: bool = True) -> Images:
    """CIFAR-10 from ``cifar-10-python.tar.gz``.

    Parameters
    ----------
    archive
        The file as published; nothing of it is unpacked on disk.
    part
        ``train`` (50 000 images) or ``test`` (10 000).
    complete
        Refuse an archive with another number of images.

    Raises
    ------
    ValueError
        If ``part`` is something else.
    ArchiveError
        If the archive is damaged, incomplete or of another kind; the message names it.
    """
    if part not in ("train", "test"):
        raise ValueError(f"no part {part!r} of CIFAR-10; there are: train, test")
    archive = Path(archive)
    prefix = "data_batch_" if part == "train" else "test_batch"
    batches = dict(_batches_of(archive, prefix))
    images = [batches[name] for name in sorted(batches)]
    found = sum(len(pixels) for pixels in images)
    if not found or (complete and found != (TRAIN if part == "train" else TEST)):
        raise ArchiveError(f"{archive}: holds {found} images for {part}, not those of CIFAR-10")
    return Images(np.concatenate(images), "CIFAR-10")


def from_photographs(stride: int = 16) -> Images:
    """Patches of scikit-learn's two sample photographs (427 x 640 pixels), every ``stride`` pixels in both directions."""
    with needs("figures"):
        from sklearn.datasets import load_sample_images  # slow to import, and needed for one figure only

    if stride < 1:
        raise ValueError(f"stride must be 1 or more, not {stride}")
    patches = []
    for photograph in load_sample_images().images:
        windows = np.lib.stride_tricks.sliding_window_view(photograph, (SIDE, SIDE), axis=(0, 1))[::stride, ::stride]
        patches.append(np.moveaxis(windows, 2, -1).reshape(-1, SIDE, SIDE, 3))
    return Images(np.concatenate(patches), "patches of scikit-learn's sample photographs")


# --------------------------------------------------------------------- internals


def _batches_of(archive: Path, prefix: str) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Name and images [I, 32, 32, 3] of the archive's batches whose name starts so."""
    if not archive.is_file():
        raise FileNotFoundError(f"{archive}: there is no such file")
    with reading(archive, tarfile.TarError, EOFError, OSError, zlib.error), tarfile.open(archive, "r:gz") as members:
        for member in members:
            name = member.name.rpartition("/")[2]
            if name.startswith(prefix) and (content := members.extractfile(member)) is not None:
                try:
                    yield name, _images_of(content)
                except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, AttributeError, IndexError) as problem:
                    raise ArchiveError(f"{archive}: {member.name}: no batch of images ({problem})") from None


def _images_of(file: IO[bytes]) -> NDArray[np.uint8]:
    """A batch holds its images as rows of 1024 red, 1024 green and 1024 blue values."""
    rows = np.asarray(_OnlyArrays(file, encoding="bytes").load()[b"data"])
    if rows.dtype != np.uint8 or rows.shape[1:] != (DIMENSION,):
        raise ValueError(f"rows of {rows.dtype}{list(rows.shape[1:])}")
    return rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)


class _OnlyArrays(pickle.Unpickler):
    """Reads pickled NumPy arrays and refuses everything else, since a pickle may run any code."""

    def find_class(self, module: str, name: str) -> Any:
        known = {
            "_reconstruct": np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
            "ndarray": np.ndarray,
            "dtype": np.dtype,
        }
        if module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") and name in known:
            return known[name]
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes in the old protocols
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in it")
