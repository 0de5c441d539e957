"""What a relaxation imports: no package that its molecule does not need, so that the command is there soon after PyTorch is."""

import subprocess
import sys

import ase.build
import pytest

pytestmark = pytest.mark.slow

#: Slow to import, and none of them relaxes a molecule.
HEAVY = {
    "ase.db",
    "ase.io",
    "ase.optimize",
    "ase.spacegroup",
    "h5py",
    "jsonschema",
    "lightning",
    "matplotlib",
    "networkx",
    "openbabel",
    "pandas",
    "pydantic",
    "pyscf",
    "rdkit",
    "requests",
    "schnetpack",
    "scipy",
    "sklearn",
    "so3krates_torch",
    "tblite",
    "torch._dynamo",
    "tqdm.asyncio",
    "yaml",
}


def imported(script, folder):
    """Of `HEAVY`, what a script in a new process imports beside what PyTorch itself does."""
    code = f"import sys, torch\nbefore = set(sys.modules)\n{script}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "morered.relaxation.engine.loop" in loaded
    return loaded & HEAVY


@pytest.fixture
def folder(tmp_path):
    for name, molecule in (("ethanol", "CH3CH2OH"), ("acetaldehyde", "CH3CHO"), ("benzene", "C6H6")):
        atoms = ase.build.molecule(molecule)
        atoms.rattle(0.05, seed=1)
        atoms.write(tmp_path / f"{name}.xyz")
    return tmp_path


@pytest.mark.parametrize("name", ["ethanol", "acetaldehyde", "benzene"])
def test_a_relaxation_from_the_shell_imports_what_it_needs(folder, name):
    script = f"from morered.cli import main\nassert main(['relax', '{name}.xyz', '-o', 'out.xyz', '-q']) == 0"
    assert imported(script, folder) == set()
    assert (folder / "out.xyz").is_file()


def test_from_smiles_to_sdf_it_needs_rdkit_alone(folder):
    script = "from morered.cli import main\nassert main(['relax', '-s', 'CCO', '-o', 'out.sdf', '-q']) == 0"
    assert imported(script, folder) == {"rdkit"}


def test_a_relaxation_from_python_imports_what_it_needs(folder):
    atoms = ase.build.molecule("CH3CH2OH")
    script = (
        f"import morered\nfrom ase import Atoms\n"
        f"ethanol = Atoms({atoms.get_chemical_formula('reduce')!r}, {atoms.positions.round(2).tolist()})\n"
        f"assert morered.relax(ethanol).info['verdict'] == 'converged'"
    )
    assert imported(script, folder) == set()
