"""What is imported is declared, a core installation works, and what is missing there is named with the command that brings it."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions

import pytest

from morered.calculators import registry
from morered.extras import MissingExtra, needs, require

#: Parts of the package that may import what an extra brings without saying so: they are imported for that alone.
PARTS = {
    "training": "train",
    "figures": "figures",
    "dft": "dft",
    "models/schnetpack_engine.py": "schnetpack",
    "study": "workflow",
}

#: What is not ours to declare: this package itself, what PyTorch's builds for GPUs bring, and what PBE0 on a GPU needs.
OTHERS = {"morered", "triton", "gpu4pyscf"}

#: Command -> the package that it lacks where no extra is installed, and the extra.
MISSING = {
    "relax in.xyz --method gfn2": ("tblite", "xtb"),
    "relax in.xyz --method mmff94-openbabel": ("Open Babel", "mmff"),
    "relax in.xyz --finish so3lr": ("so3krates_torch", "so3lr"),
    "generate H2O -n 1 --steps 1 --perception openbabel -o g.xyz": ("openbabel", "mmff"),
    "energy in.xyz": ("pyscf", "dft"),
}


def sentence(package, extra):
    return f"{package} is not installed: python -m pip install 'morered[{extra}]' brings it"


@pytest.fixture(scope="module")
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements):
    """Distributions of a list of requirements, those of other extras of this project left out."""
    return {canonical(re.match(r"[A-Za-z0-9_.-]+", requirement)[0]) for requirement in requirements} - {"morered"}


@cache
def distributions():
    """Module -> the distributions that hold it."""
    return {top: {canonical(name) for name in found} for top, found in packages_distributions().items()}


def imports(node, extra=None):
    """(module, extra of the block around it) of each import of another package that is not for types alone."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.With):
        calls = [item.context_expr for item in node.items if ast.unparse(item.context_expr).startswith("needs(")]
        extra = calls[0].args[0].value if calls else extra
    modules = []
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and not node.level:
        modules = [node.module]
    tops = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - OTHERS
    yield from ((top, extra) for top in tops)
    for child in ast.iter_child_nodes(node):
        yield from imports(child, extra)


def test_every_package_that_is_imported_is_declared_and_one_of_an_extra_imported_for_it_only(repository, project):
    core = names(project["dependencies"])
    extras = {extra: names(requirements) for extra, requirements in project["optional-dependencies"].items()}
    source = repository / "src/morered"
    seen, faults = set(), []
    for path in sorted(source.rglob("*.py")):
        place = path.relative_to(source).as_posix()
        own = [extra for part, extra in PARTS.items() if place == part or place.startswith(f"{part}/")]
        for top, extra in imports(ast.parse(path.read_text(encoding="utf-8"))):
            found = distributions().get(top, {top})
            seen |= found
            if not found & core.union(*(extras[name] for name in (*own, *filter(None, [extra])))):
                faults.append(f"{place}: {top}")
    assert set(faults) <= {"dft/mbd.py: pymbd"}  # which is leaving
    assert core <= seen  # nothing is declared that is not imported


def test_a_core_installation_relaxes_and_names_what_is_missing(project, tmp_path):
    core = names(project["dependencies"]) | {"matplotlib", "pillow"}  # the last two are ASE's and RDKit's
    optional = set().union(*map(names, project["optional-dependencies"].values())) - core - {"setuptools"}
    absent = sorted(top for top, found in distributions().items() if found & optional)
    assert {"tblite", "openbabel", "pyscf", "so3krates_torch", "tensorboard", "schnetpack", "snakemake", "yaml"} <= set(absent)
    script = f"""
import sys
sys.modules.update(dict.fromkeys({absent}))
from morered.cli import main
from ase.build import molecule
molecule("CH3CH2OH").write("in.xyz")
assert main("relax in.xyz -o out.xyz --table out.csv --html out.html -q".split()) == 0
assert main("relax -s CCO -o out.sdf -q".split()) == 0
assert main(["info"]) == 0
assert main("generate H2O -n 1 --steps 1 -o out.xyz -q".split()) in (0, 1)
for command in {list(MISSING)}:
    print(command, file=sys.stderr)
    assert main(command.split()) == 2
import morered.training
try:
    morered.training.train
except ImportError as error:
    print(error, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    for command, missing in MISSING.items():
        told = next(line for line in lines[lines.index(command) + 1 :] if line.startswith("morered "))
        assert told.startswith(f"morered {command.partition(' ')[0]}: ")
        assert sentence(*missing) in told
    assert lines[-1] == sentence("tensorboard", "train")


def test_each_extra_that_is_named_is_there(repository, project):
    text = "".join(path.read_text(encoding="utf-8") for path in (repository / "src/morered").rglob("*.py"))
    used = set(re.findall(r"needs\(\"(\w+)\"\)", text)) | {extra for extra, _ in registry._PACKAGES.values()}
    assert {"xtb", "mmff", "dft", "so3lr", "train"} <= used <= set(project["optional-dependencies"])


def test_what_is_there_is_imported_and_other_errors_pass():
    with needs("xtb"):
        import json  # noqa: F401
    require("xtb", "json")
    with pytest.raises(MissingExtra) as told, needs("xtb"):
        import no_such_package.part  # noqa: F401
    assert str(told.value) == sentence("no_such_package", "xtb")
    assert isinstance(told.value, ImportError)
    with pytest.raises(MissingExtra, match="no_such_package"):
        require("dft", "no_such_package")
    with pytest.raises(ImportError, match="cannot import name") as other, needs("xtb"):
        from json import no_such_name  # noqa: F401
    assert not isinstance(other.value, MissingExtra)


def test_the_readme_lists_every_extra(repository, project):
    table = (repository / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \| ", table, re.MULTILINE)) >= set(project["optional-dependencies"]) - {"dev"}
