"""A study's results as one Markdown page with its figures beside it: what `docs/results.md` is made by.

Everything on it comes from files of the run; each figure and table names the file that its numbers are from, with the first
digits of its SHA-256.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from shutil import copyfile
from textwrap import fill
from typing import NamedTuple

import pandas as pd
from PIL import Image

from morered.figures.html import short
from morered.files import atomic_path, sha256
from morered.metrics.tables import rows_of

#: Tables with more rows than this are named, not shown.
LONGEST = 60
#: Rows of a table that is kept beside the page.
KEPT = 500
#: Characters of a line of prose, at most.
WIDTH = 120
#: Lines of a document between which results are written.
BEGIN, END = "<!-- results: written by the workflow -->", "<!-- end of results -->"


class Shown(NamedTuple):
    """A figure or table: its name, the picture (None for a table) and the CSV file with its numbers."""

    name: str
    picture: Path | None
    numbers: Path


def page(
    *,
    study: str,
    note: str,
    commands: Sequence[str],
    comparison: Path,
    shown: Sequence[Shown],
    remarks: str = "",
    pictures: str = "figures",
    captions: Mapping[str, str] | None = None,
) -> str:
    """The page as Markdown.

    Parameters
    ----------
    study, note
        Name of the study and what its config says of it.
    commands
        Shell commands that made the results.
    comparison
        The table of `morered.figures.comparison`.
    shown
        Figures and tables, in their order.
    remarks
        Markdown written by hand: what agrees with the paper, what does not, and why.
    pictures
        Folder of the pictures, relative to the page.
    captions
        Name of a figure -> what it shows, reStructuredText.
    """
    table = pd.read_csv(comparison)
    note = fill(escape(note.strip(), quote=False), WIDTH, break_long_words=False, break_on_hyphens=False)
    parts = [f"# Results of the study “{study}”", note, "Made by", *(f"    {command}" for command in commands)]
    parts += [f"and written by the rule `results_page` from the run's own files. {source(comparison)}"]
    if remarks:
        parts.append(remarks.strip())
    lacking = table["this_run"].isna()
    parts += ["## This run and the paper", compared(table[~lacking])]
    if lacking.any():
        parts += ["What the paper states and this run does not measure:", unmeasured(table[lacking])]
    parts += sections(shown, pictures, captions)
    return "\n\n".join(part for part in parts if part) + "\n"


def sections(shown: Sequence[Shown], pictures: str = "figures", captions: Mapping[str, str] | None = None) -> list[str]:
    """Heading, caption, picture, numbers and their source of each figure and table, as Markdown; parameters as for `page`."""
    parts = []
    for item in shown:
        parts.append(f"## {item.name}")
        if captions and item.name in captions:
            parts.append(described(captions[item.name]))
        if item.picture is not None:
            parts.append(f"![{item.name}]({pictures}/{item.picture.name})")
        numbers = pd.read_csv(item.numbers)
        if len(numbers) <= LONGEST:
            parts.append(markdown(numbers))
        parts.append(f"{len(numbers)} rows. {source(item.numbers)}")
    return parts


def described(caption: str) -> str:
    """A caption in Markdown: of reStructuredText, captions have paragraphs, bold text and literals.

    >>> print(described("**Steps.** How many, see ``steps``."))
    **Steps.** How many, see `steps`.
    """
    text = caption.replace("``", "`")
    lines = (fill(part, WIDTH, break_long_words=False, break_on_hyphens=False) for part in text.strip().split("\n\n"))
    return "\n\n".join(lines)


def filled(document: str, text: str) -> str:
    """A document whose part between the marks `BEGIN` and `END` is ``text``.

    Raises
    ------
    ValueError
        If the document lacks the marks.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document has no part for results: it needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}"


def write(path: str | Path, text: str, shown: Sequence[Shown], *, data: str, pictures: str = "figures") -> None:
    """Write the page, and beside it what its repository keeps.

    Parameters
    ----------
    path, text, shown
        As for `page`.
    data
        Folder of the tables, relative to the page: those with at most `KEPT` rows.
    pictures
        Folder of the pictures, with 256 colours each: a third of the bytes.
    """
    path = Path(path)
    for item in shown:
        if item.picture is not None:
            with atomic_path(path.parent / pictures / item.picture.name) as copy:
                _shrunk(item.picture, copy)
        if len(pd.read_csv(item.numbers)) <= KEPT:
            with atomic_path(path.parent / data / item.numbers.name) as copy:
                copyfile(item.numbers, copy)
    with atomic_path(path) as final:
        final.write_text(text, encoding="utf-8")


def _shrunk(picture: Path, copy: Path) -> None:
    with Image.open(picture) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(copy, format="PNG", optimize=True)


def compared(table: pd.DataFrame) -> str:
    """What was measured of the paper's statements as a Markdown table, with what the paper says and whether its bounds hold."""
    frame = pd.DataFrame(
        {
            "place": table["place"],
            "inputs": table["testset"].fillna(""),
            "method": table["method"].fillna(""),
            "quantity": table["quantity"] + table["unit"].fillna("").map(lambda unit: f" ({unit})" if unit else ""),
            "paper": table["paper"].fillna(""),
            "this run": table["this_run"],
            "n": table["n"],
            "bound holds": table["holds"].fillna(""),
        }
    )
    return markdown(frame)


def unmeasured(table: pd.DataFrame) -> str:
    """The paper's statements without a number here as a Markdown table, with the reasons."""
    frame = pd.DataFrame({name: table[name].fillna("") for name in ("place", "testset", "method", "quantity", "paper", "reason")})
    return markdown(frame.rename(columns={"testset": "inputs", "reason": "why not"}))


def markdown(frame: pd.DataFrame) -> str:
    """A frame as a Markdown table; numbers with three significant digits on the right."""
    right = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame]
    lines = ["| " + " | ".join(_cell(name) for name in frame) + " |"]
    lines.append("|" + "|".join("---:" if number else "---" for number in right) + "|")
    for row in rows_of(frame):
        cells = [short(value) if number else _cell(value) for number, value in zip(right, row, strict=True)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: object) -> str:
    """Text as it is: what Markdown would take for a link or for emphasis, as in a SMILES, stands as code."""
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    text = str(value).replace("|", "\\|").replace("\n", " ")
    return f"`{text}`" if _MARKED.search(text) else text


#: A link `[a](b)`, emphasis, an escape, HTML.
_MARKED = re.compile(r"\]\(|\*|\\(?!\|)|<|~~")


def source(path: Path) -> str:
    """Which file numbers are from, with the first digits of its SHA-256."""
    return f"Numbers: `{Path(path).name}`, SHA-256 {sha256(path)[:12]}."
