"""Files of organic molecules that ship with the package: a ZIP that says what it is, where it comes from, and on what terms.

``about.json`` has the format and how the content was made, ``NOTICE.txt`` the sources with their licences. Members are stored as
they are and without the time of writing: equal content gives equal bytes, and a file with more members begins with those of one
with fewer.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from morered.calculators.aimnet2 import weights
from morered.datasets.organic import minima, packages
from morered.files import atomic_path


def write(
    path: str | os.PathLike[str], format: str, made: Mapping[str, Any], members: Iterable[tuple[str, bytes | str, int]]
) -> None:
    """Write a file.

    Parameters
    ----------
    path
        File to write.
    format
        What the file is.
    made
        Further facts for ``about.json``; the settings of the minima and the digest of the reference's weights are added.
    members
        Name, content, and how `zipfile` is to compress it.
    """
    reference = {"calculator": "aimnet2", "sha256": weights.SHA256}
    about = {"format": format, **made, "settings": asdict(minima.Settings()), "reference": reference}
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("about.json"), json.dumps(about, indent=1, ensure_ascii=False))
        archive.writestr(zipfile.ZipInfo("NOTICE.txt"), packages.notice())
        for name, content, compression in members:
            archive.writestr(zipfile.ZipInfo(name), content, compression)


def about(path: str | os.PathLike[str], format: str, what: str) -> dict[str, Any]:
    """What ``about.json`` says.

    Raises
    ------
    ValueError
        If the file is not of this format: it "holds no" ``what``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found: dict[str, Any] = json.loads(archive.read("about.json"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ValueError(f"{path} holds no {what}: {error}") from error
    if found.get("format") != format:
        raise ValueError(f"{path} holds no {what}: its format is {found.get('format')!r}")
    return found
