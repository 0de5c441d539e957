"""Splits of a dataset by molecular graph, and the refusal to evaluate a model on graphs it was trained on.

The paper splits QM7-X by molecular graph (Appendix B.1: 4 500 graphs for training, 1 250 for validation, the rest for testing),
because conformers and isomers of one graph resemble each other. A split holds the ids of the minima in each part and the graph
of each, so that it can be proven that no graph stands in two parts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from morered.files import atomic_path
from morered.structures import Structures, as_names

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Ids of the minima in each part.

    Attributes
    ----------
    train, validation, test
        Ids, sorted; no id stands in two parts.
    graphs
        Id -> name of its molecular graph. No graph stands in two parts.
    seed
        What the parts were drawn with.

    Raises
    ------
    ValueError
        If an id or a graph stands in two parts, or an id has no graph; the message names it.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    graphs: Mapping[str, str]
    seed: int = 0

    def __post_init__(self) -> None:
        seen: dict[str, Part] = {}
        owner: dict[str, Part] = {}
        for part in PARTS:
            for name in self.ids(part):
                if name in seen:
                    raise ValueError(f"{name} stands twice in the split, in {seen[name]} and {part}")
                seen[name] = part
                graph = self.graphs.get(name)
                if graph is None:
                    raise ValueError(f"{name} of {part} has no molecular graph")
                if owner.setdefault(graph, part) != part:
                    raise ValueError(f"the graph {graph} stands in {owner[graph]} and, as {name}, in {part}")

    def ids(self, part: str) -> tuple[str, ...]:
        """Ids of one part; a ValueError names the parts there are."""
        if part not in PARTS:
            raise ValueError(f"no part {part!r} of a split; there are: {', '.join(PARTS)}")
        return getattr(self, part)

    def graphs_of(self, part: str) -> set[str]:
        """Names of the molecular graphs of one part."""
        return {self.graphs[name] for name in self.ids(part)}

    @property
    def digest(self) -> str:
        """What a weights file names as its split: SHA-256 over which id stands in which part, ``@``, and 16 digits of that over
        the ids alone.

        The second tells another split of the same minima from a split of others.
        """
        partition = _sha256({part: sorted(self.ids(part)) for part in PARTS})
        return f"{partition}@{_sha256(sorted(name for part in PARTS for name in self.ids(part)))[:16]}"

    def counts(self) -> dict[str, dict[str, int]]:
        """Graphs and minima of each part."""
        return {part: {"graphs": len(self.graphs_of(part)), "minima": len(self.ids(part))} for part in PARTS}

    def select(self, structures: Structures, part: str) -> NDArray[np.int64]:
        """Indices of the structures whose reference is a minimum of ``part``, in the order of ``structures``."""
        return np.flatnonzero(np.isin(structures.references, as_names(self.ids(part))))

    def limited(self, train: int | None) -> Split:
        """The split with the first ``train`` graphs of the training part in the order of the draw (all where None).

        Validation and test stay as they are, and a smaller training part lies within a larger one, so that learning curves can
        be drawn. Weights trained on it name the digest of the whole split, whose training graphs all count as theirs.

        Raises
        ------
        ValueError
            If there are fewer training graphs.
        """
        if train is None:
            return self
        order = draw(self.graphs_of("train"), self.seed)
        if not 1 <= train <= len(order):
            raise ValueError(f"cannot take {train} of {len(order)} training graphs")
        kept = set(order[:train])
        ids = tuple(name for name in self.train if self.graphs[name] in kept)
        return Split(ids, self.validation, self.test, self.graphs, self.seed)


def draw(names: Iterable[str], seed: int, purpose: str = "") -> list[str]:
    """Names in a random order: that of a hash keyed by the seed and the purpose.

    It depends on nothing but the names and the key, neither on their order nor on the version of a random number generator.
    """
    key = int(seed).to_bytes(8, "little") + purpose.encode()
    return sorted(names, key=lambda name: (hashlib.blake2b(name.encode(), key=key, digest_size=16).digest(), name))


def make(ids: Sequence[str], graphs: Sequence[str], *, train: int = 4500, validation: int = 1250, seed: int = 0) -> Split:
    """Draw a split by graph.

    Parameters
    ----------
    ids, graphs
        Id and name of the graph of each minimum, [M].
    train, validation
        Number of graphs (not minima) in these parts; the rest is for testing.
    seed
        Which draw.

    Raises
    ------
    ValueError
        If the graphs do not suffice: at least one must be left for testing.
    """
    names = dict(zip(ids, graphs, strict=True))
    order = draw(set(graphs), seed)
    if train < 1 or validation < 1 or train + validation >= len(order):
        raise ValueError(
            f"cannot split {len(order)} molecular graphs into {train} for training, {validation} for validation "
            "and at least one for testing"
        )
    place = {graph: "train" if k < train else "validation" if k < train + validation else "test" for k, graph in enumerate(order)}
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    for name, graph in sorted(names.items()):
        parts[place[graph]].append(name)
    return Split(tuple(parts["train"]), tuple(parts["validation"]), tuple(parts["test"]), names, seed)


def save(path: str | os.PathLike[str], split: Split) -> None:
    """Write a split as JSON: digest, seed, counts, and for each part its graphs with the ids of their minima."""
    header = {"format": "morered split", "version": 1, "seed": split.seed, "digest": split.digest, "counts": split.counts()}
    blocks = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in header.items()]
    for part in PARTS:
        members: dict[str, list[str]] = {}
        for name in sorted(split.ids(part)):
            members.setdefault(split.graphs[name], []).append(name)
        # one line for each graph: a file that people and diff can read
        lines = ",\n".join(f"{json.dumps(graph)}: {json.dumps(names)}" for graph, names in members.items())
        blocks.append(f"{json.dumps(part)}: {{\n{lines}\n}}")
    with atomic_path(path) as temporary:
        temporary.write_text("{\n" + ",\n".join(blocks) + "\n}\n", encoding="utf-8")


def load(path: str | os.PathLike[str]) -> Split:
    """Read a split written by `save`.

    Raises
    ------
    ValueError
        If the file is no split, its digest does not fit its content, or a graph stands in two parts.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict) or content.get("format") != "morered split" or content.get("version") != 1:
        raise ValueError(f"{path} is not a split of version 1")
    graphs: dict[str, str] = {}
    parts: dict[str, tuple[str, ...]] = {}
    for part in PARTS:
        names: list[str] = []
        for graph, members in content[part].items():
            names.extend(members)
            for name in members:
                if graphs.setdefault(name, graph) != graph:
                    raise ValueError(f"{path}: {name} stands under two graphs")
        parts[part] = tuple(sorted(names))
    split = Split(parts["train"], parts["validation"], parts["test"], graphs, int(content["seed"]))
    if split.digest != content["digest"]:
        raise ValueError(f"{path}: the ids do not fit the digest; the file was changed by hand")
    return split


class TrainedOnError(ValueError):
    """An evaluation was asked for on molecular graphs that the model was trained on."""


def refuse_training_graphs(split: Split, trained_on: str, references: Iterable[str | bytes]) -> None:
    """Refuse an evaluation on graphs of a model's own training part.

    Parameters
    ----------
    split
        The split of the dataset that the structures come from.
    trained_on
        `Split.digest` of the split that the model was trained on, from the header of its weights.
    references
        Ids of the minima that the structures belong to.

    Raises
    ------
    TrainedOnError
        If the model was trained on this split and a reference stands in its training part (the message names the first and
        counts all); and if nothing can be proven: it was trained on another split of the same minima, or does not say on which.
    """
    wanted = {name.decode() if isinstance(name, bytes) else str(name) for name in references}
    known = sorted(wanted & set(split.graphs))
    if not known:
        return  # other molecules than the split's
    if not trained_on:
        raise TrainedOnError(
            "the weights do not say on which split they were trained: their training graphs may be among those evaluated"
        )
    partition, _, minima = trained_on.partition("@")
    own_partition, _, own_minima = split.digest.partition("@")
    if partition == own_partition:
        forbidden = set(split.train)
        if hits := [name for name in known if name in forbidden]:
            raise TrainedOnError(
                f"{len(hits)} of {len(wanted)} molecules are of the model's own training split, "
                f"the first is {hits[0]} ({split.graphs[hits[0]]})"
            )
    elif minima in ("", own_minima):
        raise TrainedOnError(
            f"the model was trained on the split {partition[:12]}, not on {own_partition[:12]}: "
            "its training graphs may be among those evaluated"
        )


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
