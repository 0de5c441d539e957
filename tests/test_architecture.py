"""Imports flow one way: as docs/architecture.md draws it, and within relaxation on eight floors without a circle."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import morered

PACKAGE = Path(morered.__file__).parent


def name_of(path: Path) -> str:
    """The dotted name of a module."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def exists(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def imported(path: Path) -> Iterator[str]:
    """Modules of the package that a module imports, inside functions too, but for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = (node for node in ast.walk(tree) if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING")
    unused = {id(inner) for test in tests for statement in test.body for inner in ast.walk(statement)}
    for node in ast.walk(tree):
        if id(node) in unused:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "morered")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "morered":
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if exists(name) else str(node.module)


@cache
def graph() -> dict[str, set[str]]:
    """Module -> what it imports."""
    return {name_of(path): set(imported(path)) for path in PACKAGE.rglob("*.py")}


def drawn(text: str) -> dict[str, int]:
    """Package or module -> its floor in the picture."""
    floors: dict[str, int] = {}
    floor = 0
    for line in re.findall(r"^ {4}(?: ?\d+|  )  \S.*$", text, re.MULTILINE):
        number, names = re.match(r" {4} ?(\d*) +(.*?)  +\S", line).groups()
        floor = int(number or floor)
        for name in names.split(", "):
            assert name not in floors, name
            floors[name] = floor
    return floors


def test_the_picture_shows_every_package_and_imports_go_up_in_it(repository):
    floors = drawn((repository / "docs/architecture.md").read_text(encoding="utf-8"))
    units = {name.split(".")[1] for name in graph() if "." in name} - {"__main__"}
    assert set(floors) == units
    faults = []
    for name, imports in graph().items():
        for other in imports:
            if "." not in name or "." not in other or name == "morered.__main__":
                continue
            mine, theirs = name.split(".")[1], other.split(".")[1]
            if floors[theirs] > floors[mine]:
                faults.append(f"{name} on floor {floors[mine]} imports {other} on floor {floors[theirs]}")
    assert faults == []


def test_packages_import_each_other_in_no_circle():
    """But for study and figures: a study asks which figures there are, and a figure which files a study has."""
    edges = {(a.split(".")[1], b.split(".")[1]) for a, found in graph().items() for b in found if "." in a and "." in b}
    edges = {(a, b) for a, b in edges if a != b and {a, b} != {"study", "figures"}}
    assert circle({a: {b for c, b in edges if c == a} for a, _ in edges}) is None


def test_relaxation_stands_on_eight_floors_without_a_circle():
    own = {
        name
        for name in graph()
        if name.startswith("morered.relaxation.") and not PACKAGE.parent.joinpath(*name.split(".")).is_dir()
    }
    edges = {name: graph()[name] & own for name in own}
    assert circle(edges) is None

    @cache
    def floor(name: str) -> int:
        return 1 + max((floor(other) for other in edges[name]), default=0)

    assert max(map(floor, own)) <= 8


def circle(edges: dict[str, set[str]]) -> list[str] | None:
    """A circle of imports, None where there is none."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return None
        found = next((c for other in sorted(edges.get(name, ())) if (c := visit(other, [*path, name])) is not None), None)
        done.add(name)
        return found

    return next((c for name in sorted(edges) if (c := visit(name, [])) is not None), None)


def test_files_that_the_pages_name_are_there(repository):
    for page in ("architecture.md", "glossary.md"):
        text = (repository / "docs" / page).read_text(encoding="utf-8")
        for name in re.findall(r"`([\w/]+\.(?:py|h|cpp|smk|json|md))`", text):
            places = (repository, PACKAGE, PACKAGE / "relaxation", PACKAGE / "models/native", PACKAGE / "figures/catalogue/fig4")
            assert any((place / name).is_file() for place in places) or name in ("drawing.py",), f"{page}: {name}"
