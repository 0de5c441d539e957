"""NOTICE names every licence: of the files of others in the package, of the packages it imports, of models and data."""

import csv
import re
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement

#: What a text must say -> the family of licences that it then speaks of.
FAMILIES = {
    "BSD": r"\bBSD\b|0BSD",
    "MIT": r"\bMIT\b|Permission is hereby granted, free of charge",
    "Apache": r"\bApache\b",
    "LGPL": r"\bLGPL|Lesser General Public",
    "GPL": r"(?<!L)GPL-|(?<!LESSER )GENERAL PUBLIC LICENSE|(?<!Lesser )General Public License \(GPL\)",
    "MPL": r"\bMPL\b|Mozilla Public",
    "PSF": r"\bPSF\b|Python Software Foundation",
}


def families(text: str) -> set[str]:
    return {name for name, pattern in FAMILIES.items() if re.search(pattern, text)}


def stated_by(name: str) -> set[str]:
    """Families of licences that an installed package states: as an expression, in words, as a classifier, in its files."""
    package = metadata.metadata(name)
    if expression := package.get("License-Expression"):
        return families(expression)
    classifiers = " ".join(c for c in package.get_all("Classifier") or [] if c.startswith("License"))
    words = (package.get("License") or "").strip().splitlines()[:1]
    if found := families(classifiers) or families(" ".join(words)):
        return found
    files = [file for file in metadata.files(name) or [] if re.search(r"licen[cs]e|copyright", file.name, re.IGNORECASE)]
    return families(" ".join(file.read_text() for file in files if file.suffix in ("", ".txt", ".md")))


@pytest.fixture(scope="module")
def notice(repository) -> str:
    return (repository / "NOTICE").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def listed(notice) -> dict[str, str]:
    """Package or data set -> what is said of its licence, which may go on in further lines."""
    entries: dict[str, str] = {}
    name = None
    for line in notice.splitlines():
        if match := re.match(r" {4}(\S.*?) {2,}(\S.*)", line):
            name = match[1]
            entries[name] = match[2]
        elif name and re.match(r" {37}\S", line):
            entries[name] += " " + line.strip()
        else:
            name = None
    return entries


@pytest.fixture(scope="module")
def direct(repository) -> list[str]:
    """Names of all packages that pyproject.toml asks for."""
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = project["dependencies"] + [text for extra in project["optional-dependencies"].values() for text in extra]
    names = {Requirement(text).name for text in texts} - {"morered", "qm9pack"}  # qm9pack is data: section 3
    return sorted(names)


def test_every_direct_dependency_is_named_with_its_licence(direct, listed):
    missing = [name for name in direct if name not in listed]
    assert not missing, f"NOTICE, section 2, lacks {missing}: add each with the licence that it states"
    for name in direct:
        stated = stated_by(name)
        assert stated, f"{name} states no licence that is known here: look at it, and extend FAMILIES"
        said = families(listed[name].split(":")[0])
        assert said >= stated, f"{name} states {stated}; NOTICE says {listed[name]!r}"


def test_open_babel_stands_apart(listed):
    assert "GPL-2.0-only" in listed["openbabel-wheel"]
    assert all("GPL" not in families(text.split(":")[0]) for name, text in listed.items() if name != "openbabel-wheel")


def test_every_file_of_others_in_the_package_is_named(repository, notice):
    own = {".py", ".cpp", ".h", ".md", ".typed", ".css", ".html", ".pyc", ".so"}
    named = re.findall(r"^morered/\S+", notice, re.MULTILINE)
    described = ("VERSION.json", "LICENSE.txt", "sources.csv", "page.js")  # our own, and the licence itself
    for path in (repository / "src/morered").rglob("*"):
        if path.is_file() and path.suffix not in own and path.name not in described and not path.name.startswith("."):
            relative = path.relative_to(repository / "src").as_posix()
            assert any(relative.startswith(prefix) for prefix in named), f"NOTICE, section 1, lacks {relative}"
    for prefix in named:
        assert list((repository / "src").glob(f"{prefix}*")), f"NOTICE names {prefix}, which is not there"


def test_every_data_source_is_named(repository, listed):
    with open(repository / "src/morered/datasets/data/sources.csv", encoding="utf-8") as file:
        for name in {row["dataset"] for row in csv.DictReader(file)}:
            assert name in listed, f"NOTICE, section 3, lacks {name}"
