"""Data cards: what is in a dataset, as numbers that a figure and a table are made of.

Shapes: M molecules, A atoms (flat). Units as everywhere: Å, eV, eV/Å.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from morered import storage
from morered.code_digest import code_digest
from morered.datasets import organic, qm7, qm7x, qm9, splits
from morered.datasets.splits import PARTS, Split
from morered.files import atomic_path, sha256
from morered.metrics.rmsd import rmsd
from morered.structures import Structures

VERSION = 1
#: Structures of which RMSDs are computed at most; of more, a sample is taken.
SAMPLE = 200_000
_BINS = (10, 60)
#: Structures handled at a time: bounds the memory where a dataset of millions is mapped.
_CHUNK = 50_000


def data_card(
    name: str,
    minima: Structures,
    split: Split,
    *,
    kind: str = "",
    level: str = "",
    labels: str = "",
    displaced: Structures | None = None,
    removed: Sequence[str] = (),
    failures: Mapping[str, str] | None = None,
    files: Iterable[str | os.PathLike[str]] = (),
    sample: int = SAMPLE,
) -> dict[str, Any]:
    """Compute a dataset's card.

    Parameters
    ----------
    name, kind, level
        Of the dataset; its kind in a config; the level of theory of its minima, in words.
    labels
        Where the energies and forces of the displaced structures are from, in words.
    minima
        All minima. Their columns ``forces`` (eV/Å), and ``fmax`` (eV/Å) in its absence, tell how good minima they are.
    split
        Of the minima, by graph.
    displaced
        Structures displaced from the minima; those among them that are their own reference are passed over.
        ``displacement_energy`` (eV), or ``energy`` (eV) of both them and their minima, and ``forces`` (eV/Å) are looked at
        where they are there.
    removed
        Ids of the duplicates that were removed.
    failures
        Id -> reason, of what could not be built.
    files
        Files whose digests the card states.
    sample
        Displaced structures that distributions are made of at most, spread evenly.

    Returns
    -------
    dict
        JSON: ``name``, ``kind``, ``level``, ``labels``, ``split`` (seed, digest), ``parts`` (part -> graphs, minima, displaced,
        atoms), ``elements`` (part -> symbol -> minima with it), ``sizes`` and ``heavy_atoms`` (part -> atoms -> minima),
        ``atoms_of`` (part -> symbol -> atoms), ``charges`` (part -> charge in e -> minima), ``kinds`` (kind -> minima,
        empty where they have no such column), ``minima_of_graph`` (minima -> graphs with so many), ``minima_forces``,
        ``displacement_energies``, ``displacement_rmsd``, ``displaced_forces`` (distributions or null), ``duplicates``,
        ``failures`` (``sorts``: how many of each sort of reason), ``digests``, ``sampled``.

    Raises
    ------
    KeyError
        If the minimum of a displaced structure is not among the minima.
    """
    part_of = np.full(len(minima), -1)
    for k, part in enumerate(PARTS):
        part_of[split.select(minima, part)] = k
    card: dict[str, Any] = {
        "format": "morered data card",
        "version": VERSION,
        "name": name,
        "kind": kind,
        "level": level,
        "labels": labels,
        "split": {"seed": split.seed, "digest": split.digest},
        "parts": _parts(minima, part_of, split),
        "elements": {part: _elements(minima[part_of == k]) for k, part in enumerate(PARTS)},
        "atoms_of": {part: _atoms_of(minima[part_of == k]) for k, part in enumerate(PARTS)},
        "sizes": {part: _counts(minima.sizes[part_of == k]) for k, part in enumerate(PARTS)},
        "heavy_atoms": {part: _counts(heavy_atoms(minima)[part_of == k]) for k, part in enumerate(PARTS)},
        "charges": {part: _counts(minima.charges[part_of == k]) for k, part in enumerate(PARTS)},
        "kinds": _texts(minima, "kind"),
        "minima_of_graph": _counts(np.array(list(Counter(split.graphs[i] for p in PARTS for i in split.ids(p)).values()), int)),
        "minima_forces": _minima_forces(minima),
        "displacement_energies": None,
        "displacement_rmsd": None,
        "displaced_forces": None,
        "duplicates": {
            "removed": len(removed),
            "removed_ids": list(removed)[:100],
            "minima_sharing_a_graph": sum(
                n for n in Counter(split.graphs[i] for p in PARTS for i in split.ids(p)).values() if n > 1
            ),
        },
        "failures": {
            "count": len(failures or {}),
            "sorts": dict(Counter(reason.split(":")[0] for reason in (failures or {}).values()).most_common()),
            "reasons": dict(list((failures or {}).items())[:100]),
        },
        "sampled": None,
        "digests": {
            "structures": structures_digest(minima),
            "code": code_digest(__name__),
            "files": {Path(path).name: sha256(path) for path in files},
        },
    }
    if displaced is not None:
        _add_displaced(card, minima, part_of, displaced, sample)
    return card


def describe(
    name: str, files: Mapping[str, str | os.PathLike[str]], settings: Mapping[str, Any], *, sample: int = SAMPLE
) -> dict[str, Any]:
    """The card of a dataset that lies in files.

    Parameters
    ----------
    name
        Of the dataset.
    files
        ``minima``, ``split`` and, where there are any, ``displaced`` structures. What the provenance of the first and the last
        says of duplicates, failures and labels is taken over.
    settings
        Of the dataset in a config: ``kind``, and of a custom one ``file`` and ``relax_with``.
    sample
        See `data_card`, as for the rest.
    """
    displaced = files.get("displaced")
    made = storage.read_provenance(files["minima"])
    displacing = {} if displaced is None else storage.read_provenance(displaced)
    return data_card(
        name,
        storage.read(files["minima"]),
        splits.load(files["split"]),
        kind=settings["kind"],
        level=level(settings),
        labels=displacing.get("labels", ""),
        displaced=None if displaced is None else storage.read(displaced),
        removed=made.get("duplicates", []),
        failures={**made.get("failures", {}), **displacing.get("failures", {})},
        files=files.values(),
        sample=sample,
    )


def level(settings: Mapping[str, Any]) -> str:
    """The level of theory of a dataset's minima in words."""
    kind = settings["kind"]
    if kind == "custom":
        relaxed, file = settings.get("relax_with"), Path(settings["file"]).name
        return f"minima by {relaxed} of {file}" if relaxed else f"minima as given in {file}"
    return {"organic": organic.LEVEL, "qm7-pbe0": qm7.LEVEL, "qm7x": qm7x.LEVEL, "qm9": qm9.LEVEL}[kind]


def write_card(path: str | os.PathLike[str], card: Mapping[str, Any]) -> None:
    """Write a card as JSON."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def distribution(values: NDArray[np.floating]) -> dict[str, Any] | None:
    """Count, mean, extremes, percentiles and a histogram of finite values [.]; None where there are none."""
    finite = np.asarray(values, dtype=np.float64).reshape(-1)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return None
    low, high = float(finite.min()), float(np.percentile(finite, 99.5))
    bins = int(np.clip(2 * np.sqrt(len(finite)), *_BINS))
    counts, edges = np.histogram(finite, bins=bins, range=(low, high if high > low else low + 1.0))
    percentiles = {
        f"p{p}": float(v) for p, v in zip((5, 25, 50, 75, 95), np.percentile(finite, (5, 25, 50, 75, 95)), strict=True)
    }
    return {
        "count": len(finite),
        "mean": float(finite.mean()),
        "min": low,
        "max": float(finite.max()),
        **percentiles,
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist(), "beyond": int((finite > edges[-1]).sum())},
    }


def heavy_atoms(structures: Structures) -> NDArray[np.int64]:
    """Atoms other than hydrogen of each molecule, [M]."""
    return structures.per_molecule_sum((structures.numbers != 1) * 1.0).astype(np.int64)


def structures_digest(structures: Structures) -> str:
    """SHA-256 over ids, atoms and coordinates (rounded to 1e-6 Å), hexadecimal."""
    digest = hashlib.sha256()
    for start in range(0, len(structures), _CHUNK):
        part = structures.without_columns()[start : start + _CHUNK]
        digest.update("\0".join(part.names).encode())
        digest.update(np.ascontiguousarray(part.numbers).data)
        digest.update(np.rint(np.asarray(part.positions, dtype=np.float64) * 1e6).astype("<i8").data)
    return digest.hexdigest()


# --------------------------------------------------------------------- pieces of the card


def _parts(minima: Structures, part_of: NDArray[np.int64], split: Split) -> dict[str, dict[str, int]]:
    return {
        part: {
            "graphs": len({split.graphs[name] for name in minima[part_of == k].names}),
            "minima": int((part_of == k).sum()),
            "atoms": int(minima.sizes[part_of == k].sum()),
            "displaced": 0,
        }
        for k, part in enumerate(PARTS)
    }


def _elements(minima: Structures) -> dict[str, int]:
    """Minima that contain each element."""
    return {
        chemical_symbols[z]: int((minima.per_molecule_sum((minima.numbers == z) * 1.0) > 0).sum())
        for z in np.unique(minima.numbers).tolist()
    }


def _atoms_of(minima: Structures) -> dict[str, int]:
    numbers, counts = np.unique(minima.numbers, return_counts=True)
    return {chemical_symbols[z]: int(n) for z, n in zip(numbers.tolist(), counts, strict=True)}


def _counts(values: NDArray[np.integer]) -> dict[str, int]:
    found, counts = np.unique(values, return_counts=True)
    return {str(value): int(count) for value, count in zip(found.tolist(), counts, strict=True)}


def _texts(minima: Structures, name: str) -> dict[str, int]:
    """How many minima have each text of a column, the most frequent first; empty where there is no such column."""
    if name not in minima.columns:
        return {}
    return dict(Counter(text.decode() for text in minima.column(name).tolist()).most_common())


def _minima_forces(minima: Structures) -> dict[str, Any] | None:
    """Largest force on an atom of each minimum (eV/Å), where known."""
    if "forces" in minima.columns:
        return distribution(largest_forces(minima))
    return distribution(minima.column("fmax")) if "fmax" in minima.columns else None


def largest_forces(structures: Structures) -> NDArray[np.float64]:
    """Largest force on an atom of each molecule in eV/Å, [M], from the column ``forces``."""
    norms = np.linalg.norm(np.asarray(structures.column("forces"), dtype=np.float64), axis=1)
    result = np.full(len(structures), np.nan)
    filled = structures.sizes > 0
    if filled.any():
        result[filled] = np.maximum.reduceat(norms, structures.offsets[:-1][filled])
    return result


def _add_displaced(
    card: dict[str, Any], minima: Structures, part_of: NDArray[np.int64], displaced: Structures, sample: int
) -> None:
    others = np.flatnonzero(displaced.references != displaced.ids)
    owner = minima.index_of(np.asarray(displaced.references[others]))
    for k, part in enumerate(PARTS):
        card["parts"][part]["displaced"] = int((part_of[owner] == k).sum())
    if len(others) > sample:
        chosen = np.linspace(0, len(others) - 1, sample).round().astype(np.int64)
        others, owner = others[chosen], owner[chosen]
        card["sampled"] = sample
    distances, energies, forces = [], [], []
    bare = minima.without_columns()
    for start in range(0, len(others), _CHUNK):
        rows, owners = others[start : start + _CHUNK], owner[start : start + _CHUNK]
        piece = displaced[rows]
        distances.append(rmsd(piece.without_columns(), bare[owners]))
        if "displacement_energy" in piece.columns:
            energies.append(piece.column("displacement_energy"))
        elif "energy" in piece.columns and "energy" in minima.columns:
            energies.append(piece.column("energy") - minima.column("energy")[owners])
        if "forces" in piece.columns:
            forces.append(largest_forces(piece))
    card["displacement_rmsd"] = distribution(np.concatenate(distances)) if distances else None
    card["displacement_energies"] = distribution(np.concatenate(energies)) if energies else None
    card["displaced_forces"] = distribution(np.concatenate(forces)) if forces else None
    if card["minima_forces"] is None and "forces" in displaced.columns:
        own = np.flatnonzero(displaced.references == displaced.ids)  # the minima among them, labelled by the same calculator
        card["minima_forces"] = distribution(largest_forces(displaced[own])) if len(own) else None
