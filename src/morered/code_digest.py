"""Which code made a result: the sources that a function can reach by imports, and their digest.

The search is static. It starts at the module that defines the function and follows every import of morered in it, inside
functions too, and every place named as an entry point names it ("morered.commands.relax:run"). With a module come the kernel
sources that lie beside it, and the data files beside it that it names. Comments, docstrings and blank lines do not count: they
change no result. Weights are no code; a result names them among its parents.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

PACKAGE = "morered"
#: Sources of compiled kernels, which belong to every module of their folder.
KERNELS = (".c", ".cpp", ".cu", ".h")
_PLACE = re.compile(rf"({PACKAGE}(?:\.\w+)+)(?::\w+)?")
_LAYOUT = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING)


def code_of(*functions: Callable[..., Any] | str) -> dict[str, Any]:
    """What a result keeps of the code that made it.

    Parameters
    ----------
    functions
        The functions or classes that ran, or the names of their modules.

    Returns
    -------
    dict
        JSON: ``modules``, where they are defined, and ``files``, as `sources` gives them.

    Raises
    ------
    ValueError
        If a function is not of this package.
    """
    modules = sorted({_module_of(function) for function in functions})
    return {"modules": modules, "files": sources(*modules)}


def code_digest(*functions: Callable[..., Any] | str) -> str:
    """SHA-256, hexadecimal, over names and digests of the sources that the functions reach; raises as `code_of` does."""
    found = sources(*{_module_of(function) for function in functions})
    return hashlib.sha256("".join(f"{name}\0{digest}\0" for name, digest in sorted(found.items())).encode()).hexdigest()


def changes(code: Mapping[str, Any]) -> list[str]:
    """Sources, relative to the package, that are no longer what `code_of` gave then, are gone, or are reached only now."""
    then: Mapping[str, str] = code["files"]
    today = sources(*(module for module in code["modules"] if _file(module) is not None))
    kept = {name: _digest(path) for name in then if (path := _root() / name).is_file()}
    return sorted(name for name in then.keys() | today.keys() if then.get(name) != (today | kept).get(name))


def sources(*modules: str) -> dict[str, str]:
    """Sources that the modules reach, their own included: path relative to the package -> digest (32 hexadecimal digits)."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        path = _file(module)
        assert path is not None, module
        read = _module(path)
        found |= {file.relative_to(_root()).as_posix(): _digest(file) for file in (path, *read.beside)}
        waiting += read.imports
    return found


# --------------------------------------------------------------------- one module


class _Module:
    """Digest of a module's code, the modules it imports and the files that belong to it."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        tree = ast.parse(content, path)
        self.digest = _of_bytes("\0".join(_tokens(content, _docstrings(tree))).encode())
        # The package's own __init__ names the homes of what `morered.x` means to users: importing a submodule loads none of them.
        follow_places = path != _root() / "__init__.py"
        self.imports = sorted(set(_imports(tree, follow_places)))
        words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        near = [
            file
            for folder in (path.parent, path.parent / "data")
            if folder.is_dir()
            for file in folder.iterdir()
            if file.is_file()
        ]
        self.beside = [file for file in near if file.suffix in KERNELS or (file.name in words and file.suffix != ".py")]


def _module(path: Path) -> _Module:
    """The module in a file, read again only when that has changed."""
    status = path.stat()
    return _read(path, (status.st_mtime_ns, status.st_size))


@functools.cache
def _read(path: Path, state: tuple[int, int]) -> _Module:
    return _Module(path)


def _digest(path: Path) -> str:
    return _module(path).digest if path.suffix == ".py" else _of_bytes(path.read_bytes())


def _imports(tree: ast.Module, places: bool) -> Iterator[str]:
    """Modules of the package that a module imports, with the packages they lie in."""
    blocks = (node.body for node in ast.walk(tree) if isinstance(node, ast.If) and _is_type_checking(node.test))
    unused = {id(inner) for block in blocks for statement in block for inner in ast.walk(statement)}
    for node in ast.walk(tree):
        if id(node) in unused:
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:  # the package has no relative imports (a test says so)
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            if _file(node.module) is not None and all(_file(name) is not None for name in names[1:]):
                names = names[1:]
        elif places and isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [match[1]] if (match := _PLACE.fullmatch(node.value)) else []
        for name in names:
            while name.partition(".")[0] == PACKAGE:
                if _file(name) is not None:
                    yield name
                name = name.rpartition(".")[0]


def _is_type_checking(test: ast.expr) -> bool:
    """Whether a condition is ``TYPE_CHECKING``, which is never true when the code runs."""
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _docstrings(tree: ast.Module) -> set[tuple[int, int]]:
    """Where docstrings begin: (line, column), also those after a variable."""
    strings = (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )
    return {(string.lineno, string.col_offset) for string in strings}


def _tokens(content: bytes, docstrings: set[tuple[int, int]]) -> Iterator[str]:
    """The tokens that say what a module does."""
    after_docstring = False
    for token in tokenize.tokenize(io.BytesIO(content).readline):
        if token.type in _LAYOUT or (after_docstring and token.type == tokenize.NEWLINE):
            continue
        after_docstring = token.start in docstrings
        if not after_docstring:
            yield token.string


# --------------------------------------------------------------------- names and places


def _module_of(function: Callable[..., Any] | str) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    module = function if isinstance(function, str) else getattr(function, "__module__", "")
    if module.partition(".")[0] != PACKAGE or _file(module) is None:
        raise ValueError(f"{function!r} is no function or module of {PACKAGE}: the code that made a result must be")
    return module


def _file(module: str) -> Path | None:
    """The file of a module; None if there is no such module."""
    path = _root().parent.joinpath(*module.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _root() -> Path:
    return Path(__file__).parent


def _of_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
