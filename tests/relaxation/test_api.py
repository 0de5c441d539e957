"""The Python interface: Atoms in, Atoms out."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule as g2_molecule
from ase.constraints import FixedLine
from ase.io import read
from relaxation_support import Oracle, model

import morered
from morered.formats import to_ase
from morered.models import weights as weights_files
from morered.models.networks import build
from morered.models.weights import LoadedModel, WeightsError, WeightsHeader
from morered.relaxation import DiffusionMethod, Result
from morered.relaxation.methods import preset
from morered.settings.networks import ModelConfig
from morered.settings.presets import PRESETS
from morered.structures import Structures


@pytest.fixture
def atoms(noisy: Structures) -> list[Atoms]:
    return to_ase(noisy)


@pytest.fixture
def method(jt: LoadedModel) -> DiffusionMethod:
    return DiffusionMethod(noise=jt, time=jt, move="jump")


def test_atoms_give_atoms_with_their_verdicts(atoms: list[Atoms], method: DiffusionMethod, molecules: Structures) -> None:
    before = atoms[3].positions.copy()
    relaxed = morered.relax(atoms[3], method)
    assert isinstance(relaxed, Atoms)
    assert relaxed.info["verdict"] == "converged"
    assert relaxed.info["reason"] == "the predicted time step reached 0"
    assert type(relaxed.info["steps"]) is int
    assert np.array_equal(atoms[3].positions, before)  # a copy
    assert np.allclose(relaxed.get_all_distances(), to_ase(molecules)[3].get_all_distances(), atol=1e-6)
    many = morered.relax(atoms, method)
    assert len(many) == len(atoms)
    assert np.allclose(many[3].positions, relaxed.positions, atol=1e-9)


def test_structures_give_structures(noisy: Structures, method: DiffusionMethod) -> None:
    relaxation = morered.relax(noisy, method)
    assert isinstance(relaxation, Result)
    assert np.array_equal(relaxation.structures.ids, noisy.ids)


def test_a_result_does_not_depend_on_the_place_in_the_list(atoms: list[Atoms], jt: LoadedModel) -> None:
    stochastic = DiffusionMethod(noise=jt, time=jt, steps=30)
    for molecule in atoms:
        molecule.info.clear()  # no names
    forward, backward = morered.relax(atoms, stochastic), morered.relax(atoms[::-1], stochastic)[::-1]
    for a, b in zip(forward, backward, strict=True):
        assert np.allclose(a.positions, b.positions, atol=1e-9)
    twins = morered.relax([atoms[0], atoms[0]], stochastic)
    # Twins have noise of their own. A result at the cap that is worse than its input is not kept, but its time is.
    assert twins[0].info["last_time"] != twins[1].info["last_time"]


def test_garbage_is_refused_not_raised(atoms: list[Atoms], method: DiffusionMethod) -> None:
    broken = Atoms("CO", [[0, 0, 0], [np.nan, 0, 0]])
    relaxed = morered.relax([broken, atoms[0], Atoms()], method)
    assert [a.info["verdict"] for a in relaxed] == ["refused", "converged", "refused"]


def test_a_finish_takes_what_the_first_method_could_not(atoms: list[Atoms], method: DiffusionMethod) -> None:
    chlorine = g2_molecule("CH3Cl")
    chlorine.rattle(0.05, seed=0)
    first, second = morered.relax([atoms[0], chlorine], method, finish={"relaxer": "gfn2", "fmax": 0.01}, workers=1)
    assert (first.info["verdict"], second.info["verdict"]) == ("converged", "converged")
    assert first.info["last_fmax"] < 0.01
    assert "the method before it refused: the model has never seen Cl" in second.info["reason"]
    assert second.info["moved"] > 0.01


def test_what_would_not_be_honoured_is_refused(atoms: list[Atoms], method: DiffusionMethod) -> None:
    crystal = atoms[0].copy()
    crystal.cell, crystal.pbc = [10, 10, 10], True
    with pytest.raises(ValueError, match="molecule 2 is periodic"):
        morered.relax([atoms[0], crystal], method)
    fixed = atoms[0].copy()
    fixed.set_constraint(FixedLine(0, [0, 0, 1]))
    with pytest.raises(ValueError, match="molecule 1: its constraint FixedLine cannot be honoured"):
        morered.relax(fixed, method)


def test_the_optimiser_moves_its_atoms(
    atoms: list[Atoms], method: DiffusionMethod, molecules: Structures, tmp_path: Path
) -> None:
    molecule, log = atoms[2], io.StringIO()
    start = molecule.positions.copy()
    optimiser = morered.MoreRed(molecule, method, logfile=log, trajectory=tmp_path / "path.traj")
    assert optimiser.run() is True
    assert optimiser.converged()
    assert optimiser.nsteps == molecule.info["steps"] > 0
    assert not np.allclose(molecule.positions, start)
    assert np.allclose(molecule.get_all_distances(), to_ase(molecules)[2].get_all_distances(), atol=1e-6)
    assert "converged after 2 steps" in log.getvalue()
    assert len(read(tmp_path / "path.traj", ":")) == optimiser.nsteps + 1


def test_the_optimiser_keeps_frozen_atoms_and_knows_no_second_method(atoms: list[Atoms], method: DiffusionMethod) -> None:
    molecule = atoms[2]
    start = molecule.positions.copy()
    morered.MoreRed(molecule, method, freeze="1-3", seed=3, logfile=None).run()
    np.testing.assert_array_equal(molecule.positions[:3], start[:3])
    assert not np.allclose(molecule.positions[3:], start[3:])
    with pytest.raises(TypeError, match="finish"):
        morered.MoreRed(molecule, method, finish="gfn2")


def test_the_optimiser_of_a_refused_molecule(method: DiffusionMethod, capsys: pytest.CaptureFixture[str]) -> None:
    lone = Atoms("C", [[1.0, 2, 3]])
    optimiser = morered.MoreRed(lone, method)
    assert optimiser.run() is False
    assert np.array_equal(lone.positions, [[1, 2, 3]])
    assert optimiser.reason == "it has one atom: there is nothing to relax"
    assert "refused after 0 steps" in capsys.readouterr().out


def test_steps_and_fmax_go_to_the_method(atoms: list[Atoms]) -> None:
    small = Atoms("H2", [[0, 0, 0], [0, 0, 0.78]])
    optimiser = morered.MoreRed(small, "so3lr", logfile=None)
    assert optimiser.run(fmax=1e-4, steps=1) is False
    assert optimiser.verdict == "step-cap"
    with pytest.raises(ValueError, match=r"jt.fmax: unknown key"):
        morered.MoreRed(small, "jt", weights="x").run(fmax=0.1)


def test_names_of_methods(molecules: Structures) -> None:
    jt = model(Oracle(molecules, "morered-jt"))
    assert preset("MoreRed-JT", jt) == DiffusionMethod(noise=jt, time=jt)
    assert preset("jt", jt, steps=5).steps == 5  # type: ignore[union-attr]
    both = preset("as", {"noise": "n", "time": "t"})
    assert (both.noise, both.time) == ("n", "t")  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="no method 'jtt'; there are: auto, fast, balanced, accurate, organic, jt"):
        preset("jtt")
    with pytest.raises(ValueError, match="the method 'gfn2' has no weights"):
        preset("gfn2", "file")
    for name in PRESETS:
        preset(name)  # every one is a sound config


def test_weights_by_path(noisy: Structures, tmp_path: Path) -> None:
    network = build(ModelConfig(kind="morered-jt", features=8))
    path = tmp_path / "jt.safetensors"
    weights_files.save(path, network, WeightsHeader(elements=(1, 6, 7, 8, 16)))
    relaxed = morered.relax(noisy[:3], "accurate", weights=path).structures
    assert set(relaxed.column("verdict").tolist()) <= {b"converged", b"step-cap", b"failed", b"changed"}
    with pytest.raises(WeightsError, match="no weights"):
        morered.relax(noisy[:3], "jt", weights=tmp_path / "none.safetensors")


def test_importing_the_package_is_light() -> None:
    """Worker processes and `morered --help` import the package: torch would cost each of them seconds."""
    code = "import sys, morered; assert 'torch' not in sys.modules; morered.Structures; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_wrong_types_are_told_apart_from_wrong_values(atoms: list[Atoms], method: DiffusionMethod) -> None:
    with pytest.raises(TypeError, match="'CCO' is a text: give Atoms"):
        morered.relax("CCO", method)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="freeze is a text"):
        morered.relax(atoms[0], method, freeze=[0, 1])
    for name in ("workers", "batch_size"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
            morered.relax(atoms[0], method, **{name: 0})
    with pytest.raises(ValueError, match="count must be at least 1, not 0"):
        morered.search_conformers("CCO", 0)
