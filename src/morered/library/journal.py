"""Notes what an unfinished run over a library has done, in a small file beside its output. `--resume` goes on from it.

It is written after each batch, but no more than once a second, when what it tells of is on the disk; and it goes when the run is
complete. So it never tells of more than there is, and what it does not tell of is cut off and done again.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from morered.files import atomic_path
from morered.formats.sources import label_of
from morered.library.batch import Texts

VERSION = 1
ENDING = ".progress"
#: Reasons and names that are kept to be told at the end.
TOLD = 20
_BEGIN = 1 << 16  # bytes of an input that its digest is of


class JournalProblem(Exception):
    """A run that cannot be continued; the message is a sentence."""


@dataclass
class Done:
    """What a run has done.

    Attributes
    ----------
    settings
        What decides its results: those of the method and of each input, as plain values.
    molecules
        How many of the library are done.
    positions
        Output -> bytes that belong to them.
    verdicts
        Verdict -> number of molecules.
    others, strange
        The first `TOLD` that did not converge (name, verdict, reason) or are of a size that the model does not know.
    n_strange
        How many are of such a size.
    """

    settings: dict[str, Any]
    molecules: int = 0
    positions: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    others: list[list[str]] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    n_strange: int = 0

    def after(self, texts: Texts, positions: dict[str, int]) -> Done:
        """What is done with one batch more."""
        return Done(
            self.settings,
            self.molecules + sum(texts.verdicts.values()),
            positions,
            dict(Counter(self.verdicts) + Counter(texts.verdicts)),
            [*self.others, *map(list, texts.others)][:TOLD],
            [*self.strange, *texts.strange][:TOLD],
            self.n_strange + len(texts.strange),
        )


def path_of(output: str) -> str:
    """Where the journal of a run lies."""
    return output + ENDING


def save(output: str, done: Done) -> None:
    """Write the journal, complete or not at all."""
    with atomic_path(path_of(output)) as temporary:
        temporary.write_text(json.dumps({"version": VERSION, **asdict(done)}, ensure_ascii=True), encoding="ascii")


def load(output: str, settings: Mapping[str, Any]) -> Done | None:
    """The journal of an unfinished run, None where there is none.

    Raises
    ------
    JournalProblem
        If it cannot be read, or the run had other settings or inputs, which are named.
    """
    path = path_of(output)
    if not os.path.exists(path):
        return None
    try:
        content = json.loads(Path(path).read_text(encoding="ascii"))
        version = content.pop("version")
        done = Done(**content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JournalProblem(f"{path}: cannot be read ({error}): delete it to begin anew") from None
    if version != VERSION:
        raise JournalProblem(f"{path}: another version of morered wrote it: go on with that one, or delete it to begin anew")
    if differences := list(_differences(done.settings, json.loads(json.dumps(settings)))):
        raise JournalProblem(
            f"{output}: the unfinished run differs: {'; '.join(differences)}. Go on as it began, or delete {path} to begin anew"
        )
    return done


def remove(output: str) -> None:
    """Take the journal of a complete run away."""
    Path(path_of(output)).unlink(missing_ok=True)


def inputs_of(sources: Sequence[str], smiles: Sequence[str]) -> dict[str, str]:
    """What tells that inputs are the same: size and digest of the beginning of each file, digest of the SMILES."""
    found = {}
    for source in sources:
        if os.path.isfile(source):
            with open(source, "rb") as file:
                digest = sha256(file.read(_BEGIN)).hexdigest()[:16]
            found[f"input {label_of(source)}"] = f"{os.path.getsize(source)} bytes, {digest}"
        else:
            found[f"input {label_of(source)}"] = "no file"
    if smiles:
        found["--smiles"] = sha256("\n".join(smiles).encode(errors="replace")).hexdigest()[:16]
    return found


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Any:
    for name in dict.fromkeys([*before, *now]):
        if before.get(name) != now.get(name):
            yield f"{name} was {before.get(name, 'not given')} and is {now.get(name, 'not given')}"
