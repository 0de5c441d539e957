"""Frozen atoms keep their coordinates exactly, and the rest relaxes around them."""

from __future__ import annotations

from pathlib import Path

import ase.build
import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms, FixBondLength
from ase.io import read
from ase.optimize import LBFGS
from rdkit import Chem
from rdkit.Chem import AllChem
from relaxation_support import Springs, model
from tblite.ase import TBLite

import morered
from morered.cli import main
from morered.frozen import FreezeProblem, chosen_atoms, frozen_atoms, with_frozen
from morered.metrics.rmsd import rmsd
from morered.models.weights import LoadedModel
from morered.relaxation import DiffusionMethod, PotentialMethod, relax
from morered.relaxation.samplers.frames import own_frames, turned
from morered.relaxation.samplers.perturb import perturbed
from morered.relaxation.samplers.restarts import Restarts
from morered.structures import Structures


def ethanol(*held: int) -> Atoms:
    """Displaced but for the atoms that are held, which are as in the minimum."""
    atoms = ase.build.molecule("CH3CH2OH")
    moves = np.random.default_rng(2).normal(scale=0.08, size=(9, 3))
    moves[list(held)] = 0.0
    atoms.positions += moves + 3.0
    atoms.set_constraint(FixAtoms(list(held)))
    return atoms


@pytest.mark.parametrize("held", [[0], [0, 1], [0, 1, 2, 4]])
@pytest.mark.parametrize("method", ["fast", "mlff", "mmff94", "gfn2"])
def test_the_shipped_methods_keep_frozen_atoms_and_move_the_others(method: str, held: list[int]) -> None:
    given = ethanol(*held)
    relaxed = morered.relax(given, method, workers=1)
    assert relaxed.info["verdict"] == "converged", relaxed.info["reason"]
    assert np.array_equal(relaxed.positions[held], given.positions[held])
    free = [a for a in range(9) if a not in held]
    moves = np.linalg.norm(relaxed.positions - given.positions, axis=1)
    assert moves[free].min() > 1e-3
    assert moves.max() < 0.5
    if method != "fast":
        assert np.abs(relaxed.get_forces()).max() <= relaxed.info["last_fmax"] < 1e-4  # without those on frozen atoms


def test_the_minimum_around_frozen_atoms_is_ases() -> None:
    given = ethanol(0, 1, 2, 4)
    given.calc = TBLite(method="GFN2-xTB", verbosity=0)
    ours = morered.relax(given, {"relaxer": given.calc, "fmax": 1e-4})
    LBFGS(given, logfile=None).run(fmax=1e-4, steps=300)
    assert ours.info["steps"] < 60
    assert ours.get_potential_energy() == pytest.approx(given.get_potential_energy(), abs=1e-6)
    assert np.allclose(ours.positions, given.positions, atol=0.01)


MOVES = ["reverse", "jump", "ddim", "accelerated"]


@pytest.mark.parametrize("move", MOVES)
def test_every_move_of_diffusion_keeps_frozen_atoms(move: str, molecules: Structures, jt: LoadedModel) -> None:
    """From inputs in which only the free atoms are displaced the minimum is reached."""
    frozen = np.zeros(molecules.n_atoms, bool)
    frozen[molecules.offsets[:-1]] = frozen[molecules.offsets[:-1] + 1] = True
    start = perturbed(with_frozen(molecules, frozen), 0.05, 1)
    assert np.array_equal(start.positions[frozen], molecules.positions[frozen])
    restarts = Restarts(tries=1, distance=0.01) if move == "accelerated" else None
    method = DiffusionMethod(noise=jt, time=jt, move=move, steps=200, restarts=restarts)  # type: ignore[arg-type]
    relaxed = relax(start, method, batch_size=4).structures
    assert np.array_equal(relaxed.positions[frozen], molecules.positions[frozen])
    assert "frozen" not in relaxed.columns
    if move in ("jump", "accelerated"):
        assert (relaxed.column("verdict") == b"converged").all()
        assert rmsd(relaxed, molecules).max() < 0.005  # two atoms leave the turn about their axis open


@pytest.mark.parametrize("settings", [{}, {"optimizer": "ase"}, {"initial_hessian": "valence"}])
def test_the_batched_optimiser_keeps_them_too(settings: dict[str, str], molecules: Structures) -> None:
    chosen = molecules[:6]
    frozen = np.zeros(chosen.n_atoms, bool)
    frozen[chosen.offsets[:-1]] = True
    start = perturbed(with_frozen(chosen, frozen), 0.05, 1)
    method = PotentialMethod("mlff", model(Springs(molecules)), precision="double", fmax=1e-4, **settings)  # type: ignore[arg-type]
    relaxed = relax(start, method, batch_size=4).structures
    assert (relaxed.column("verdict") == b"converged").all()
    assert np.array_equal(relaxed.positions[frozen], chosen.positions[frozen])
    assert relaxed.column("last_fmax").max() < 1e-4


def test_a_second_method_and_further_runs_keep_them() -> None:
    given = ethanol(0, 1)
    relaxed = morered.relax(given, finish="mmff94", workers=1)
    assert np.array_equal(relaxed.positions[[0, 1]], given.positions[[0, 1]])
    assert relaxed.info["last_fmax"] < 1e-4


def test_what_cannot_be_honoured_is_named(tmp_path: Path) -> None:
    atoms = ethanol()
    atoms.set_constraint(FixBondLength(0, 1))
    with pytest.raises(ValueError, match="molecule 1: its constraint FixBondLengths cannot be honoured"):
        morered.relax(atoms)
    atoms.write(tmp_path / "in.traj")
    table = tmp_path / "t.csv"
    assert main(["relax", str(tmp_path / "in.traj"), "-o", str(tmp_path / "out.xyz"), "--table", str(table), "-q"]) == 1
    assert "its constraint FixBondLengths cannot be honoured" in table.read_text()
    everything = morered.relax(ethanol(*range(9)))
    assert everything.info["reason"] == "all its atoms are frozen: there is nothing to relax"
    paper = morered.relax(ethanol(0), {"relaxer": "mmff94", "variant": "paper"}, workers=1)
    assert paper.info["verdict"] == "refused"
    assert "keeps no atoms in their places" in paper.info["reason"]


def test_atoms_are_named_by_number_or_by_smarts() -> None:
    assert np.flatnonzero(chosen_atoms("1-3, 7", 9)).tolist() == [0, 1, 2, 6]
    drawing = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    assert np.flatnonzero(chosen_atoms("[OX2][H]", 9, drawing)).tolist() == [2, 8]
    with pytest.raises(FreezeProblem, match="--freeze 8-12: its atoms have the numbers 1 to 9"):
        chosen_atoms("8-12", 9)
    with pytest.raises(FreezeProblem, match="no atoms of it match"):
        chosen_atoms("[Cl]", 9, drawing)
    with pytest.raises(FreezeProblem, match="neither a list of atoms"):
        chosen_atoms("[#6", 9)
    with pytest.raises(FreezeProblem, match="a range begins with the lower one"):
        chosen_atoms("3-1", 9)
    with pytest.raises(FreezeProblem, match="neither a list of atoms"):
        chosen_atoms("no pattern", 9, drawing)
    with pytest.raises(FreezeProblem, match="nothing states its bonds"):
        chosen_atoms("[Cl]", 9)


def test_the_command_and_rdkit_molecules_freeze_what_is_named(tmp_path: Path) -> None:
    molecule = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    before = molecule.GetConformer().GetPositions()
    after = morered.relax(molecule, freeze="[#6]").GetConformer().GetPositions()
    assert np.array_equal(after[:2], before[:2])
    assert np.linalg.norm(after - before, axis=1)[2:].min() > 1e-3
    Chem.MolToMolFile(molecule, str(tmp_path / "in.sdf"))
    assert main(["relax", str(tmp_path / "in.sdf"), "-o", str(tmp_path / "out.sdf"), "--freeze", "1,2", "-q"]) == 0
    written = Chem.MolFromMolFile(str(tmp_path / "out.sdf"), removeHs=False).GetConformer().GetPositions()
    assert np.allclose(written[:2], before[:2], atol=1e-4)
    assert np.allclose(written, after, atol=5e-3)
    streamed = tmp_path / "streamed.sdf"
    assert main(["relax", str(tmp_path / "in.sdf"), "-o", str(streamed), "--freeze", "1,2", "--resume", "-q"]) == 0
    again = Chem.MolFromMolFile(str(streamed), removeHs=False).GetConformer().GetPositions()
    assert np.array_equal(again, written)


@pytest.mark.parametrize(("streamed", "numbers"), [(False, False), (True, False), (False, True)])
def test_constraints_of_a_file_are_honoured(tmp_path: Path, streamed: bool, numbers: bool) -> None:
    given = ethanol(0, 1)
    given.write(tmp_path / "in.xyz")  # ASE writes move_mask
    if numbers:
        text = (tmp_path / "in.xyz").read_text().replace("move_mask:L", "move_mask:I")
        (tmp_path / "in.xyz").write_text(text.replace(" F\n", " 0\n").replace(" T\n", " 1\n"))
    options = ["-q", *(["--resume"] if streamed else [])]
    assert main(["relax", str(tmp_path / "in.xyz"), "-o", str(tmp_path / "out.xyz"), *options]) == 0
    relaxed = read(tmp_path / "out.xyz")
    assert np.allclose(relaxed.positions[:2], given.positions[:2], atol=1e-7)
    assert not np.allclose(relaxed.positions[2:], given.positions[2:], atol=1e-3)


def test_a_frame_of_its_own_gives_back_what_was_frozen(molecules: Structures) -> None:
    """Rounding to the grid of the frame never reaches a frozen atom."""
    frozen = np.zeros(molecules.n_atoms, bool)
    frozen[molecules.offsets[:-1]] = True
    rotated = turned(molecules, own_frames(molecules))
    assert not np.allclose(rotated.positions[frozen], molecules.positions[frozen], atol=0.1)
    assert frozen_atoms(with_frozen(molecules, frozen)).sum() == len(molecules)
