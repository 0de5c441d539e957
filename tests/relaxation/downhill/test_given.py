"""Potentials that users and other packages bring, in the batched L-BFGS."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Lock

import ase.build
import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write
from ase.optimize import LBFGS
from tblite.ase import TBLite

import morered
from morered import plugins
from morered.cli import main
from morered.commands.arguments import one_of
from morered.library.run import _told, _travels
from morered.relaxation import PotentialMethod, from_config
from morered.relaxation.methods import preset
from morered.structures import Structures


def rattled(*names: str) -> list[Atoms]:
    molecules = [ase.build.molecule(name) for name in names]
    for atoms in molecules:
        atoms.rattle(0.05, seed=3)
    return molecules


class Springs:
    """Springs between all atoms, at rest in G2's minima of the molecules named; it knows no others."""

    def __init__(self, *names: str) -> None:
        self.batches: list[int] = []
        minima = [ase.build.molecule(name) for name in names]
        self.lengths = {bytes(atoms.numbers.astype(np.uint8)): atoms.get_all_distances() for atoms in minima}

    def __call__(self, structures: Structures) -> tuple[np.ndarray, np.ndarray]:
        self.batches.append(len(structures))
        energies, forces = np.zeros(len(structures)), np.zeros((structures.n_atoms, 3))
        for m, (_, numbers, x) in enumerate(structures):
            lengths = self.lengths[numbers.tobytes()]
            apart = x[:, None] - x[None]
            distances = np.linalg.norm(apart, axis=2)
            stretch = distances - lengths
            energies[m] = 2.5 * (stretch**2).sum()
            pull = -10 * (stretch / (distances + np.eye(len(x))))[:, :, None] * apart
            forces[structures.offsets[m] : structures.offsets[m + 1]] = pull.sum(axis=1)
        return energies, forces


def test_an_ase_calculator_gives_the_minimum_that_ase_finds() -> None:
    given = rattled("CH3OH", "H2O")
    relaxed = morered.relax(given, TBLite(method="GFN2-xTB", verbosity=0))
    for before, after in zip(given, relaxed, strict=True):
        assert after.info["verdict"] == "converged"
        assert after.info["last_fmax"] < 1e-3
        theirs = before.copy()
        theirs.calc = TBLite(method="GFN2-xTB", verbosity=0)
        LBFGS(theirs, logfile=None).run(fmax=1e-3, steps=300)
        assert after.get_potential_energy() == pytest.approx(theirs.get_potential_energy(), abs=2e-6)
        assert np.allclose(after.get_all_distances(), theirs.get_all_distances(), atol=0.005)


def test_a_calculator_is_told_the_charge() -> None:
    (ammonium,) = rattled("NH3")
    ammonium = Atoms("NH4", 0.59 * np.array([[0, 0, 0], [1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]), info={"charge": 1})
    relaxed = morered.relax(ammonium, TBLite(method="GFN2-xTB", verbosity=0))
    assert relaxed.info["verdict"] == "converged"
    ours = morered.relax(ammonium, "gfn2", workers=1)
    assert relaxed.get_potential_energy() == pytest.approx(ours.get_potential_energy(), abs=1e-5)


def test_a_function_gets_all_molecules_at_once_and_one_it_cannot_do_stops_no_other() -> None:
    springs = Springs("CH3OH", "C2H4", "C2H6")
    given = rattled("CH3OH", "CH3Cl", "C2H4", "C2H6")
    relaxed = morered.relax(given, {"relaxer": springs, "steps": 200, "fmax": 1e-4})
    assert [atoms.info["verdict"] for atoms in relaxed] == ["converged", "failed", "converged", "converged"]
    assert relaxed[1].info["reason"].startswith("the calculator gave no finite forces: Springs: KeyError")
    assert np.array_equal(relaxed[1].positions, given[1].positions)
    assert max(springs.batches) >= 3
    for atoms, name in ((relaxed[0], "CH3OH"), (relaxed[2], "C2H4"), (relaxed[3], "C2H6")):
        assert atoms.get_potential_energy() == pytest.approx(0.0, abs=1e-6)
        assert np.allclose(atoms.get_all_distances(), ase.build.molecule(name).get_all_distances(), atol=1e-3)


def test_a_potential_goes_on_from_what_morered_gives() -> None:
    (methanol,) = rattled("CH3OH")
    relaxed = morered.relax(methanol, finish={"relaxer": TBLite(method="GFN2-xTB", verbosity=0), "fmax": 0.01})
    assert relaxed.info["verdict"] == "converged"
    assert relaxed.info["first_time"] > 0  # MoreRed's
    assert relaxed.info["last_fmax"] < 0.01


def test_what_gives_no_energies_is_refused() -> None:
    (water,) = rattled("H2O")
    with pytest.raises(ValueError, match="3 is no method"):
        morered.relax(water, 3)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="is no potential"):
        PotentialMethod(potential=3)
    with pytest.raises(ValueError, match="f_max: unknown key"):
        from_config({"relaxer": Springs("H2O"), "f_max": 1})
    wrong = morered.relax(water, lambda structures: (np.zeros(len(structures)), np.zeros(3)))
    assert wrong.info["verdict"] == "failed"
    assert "it gave forces of shape [3], not [3, 3]" in wrong.info["reason"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that brings two methods, of which one is broken."""
    info = tmp_path / "softsprings-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: softsprings\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[morered.methods]\nsoft = softsprings:soft\nlost = softsprings:lost\n")
    (tmp_path / "softsprings.py").write_text(
        "import numpy as np\n"
        "def flat(structures):\n"
        "    return np.zeros(len(structures)), np.zeros((structures.n_atoms, 3))\n"
        "def soft():\n"
        "    return {'relaxer': flat, 'fmax': 0.02}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("softsprings", None)


@pytest.mark.usefixtures("package")
def test_a_packages_method_from_the_shell_at_once_and_as_a_library(tmp_path: Path) -> None:
    write(tmp_path / "in.xyz", [ase.build.molecule(name) for name in ("H2O", "CH3OH", "C2H6")])
    for options in ([], ["--resume", "--workers", "2"], ["--resume", "--workers", "1"]):
        out = tmp_path / "out.xyz"
        out.unlink(missing_ok=True)
        assert main(["relax", str(tmp_path / "in.xyz"), "-o", str(out), "--method", "soft", "-q", *options]) == 0
        assert [len(atoms) for atoms in read(out, ":")] == [3, 6, 8]
    methods = [PotentialMethod(potential=potential) for potential in (Springs("H2O"), Springs("H2O"))]
    assert repr(methods[0]) != repr(methods[1])
    assert _told(methods[0]) == _told(methods[1])  # so that --resume knows it again
    assert _travels(methods)
    lock = Lock()
    assert not _travels([PotentialMethod(potential=lambda structures: lock)])


@pytest.mark.usefixtures("package")
def test_a_package_brings_a_method_by_its_name() -> None:
    assert plugins.names() == ["lost", "soft"]
    (water,) = rattled("H2O")
    relaxed = morered.relax(water, "soft")
    assert relaxed.info["verdict"] == "converged"  # there are no forces
    assert relaxed.info["reason"] == "the largest force is below 0.02 eV/Å"
    method = preset("soft", fmax=0.5)
    assert isinstance(method, PotentialMethod)
    assert (method.fmax, method.kind) == (0.5, "flat")
    assert one_of(["fast"])("soft") == "soft"
    with pytest.raises(ValueError, match="the method 'lost' of the package softsprings cannot be had: AttributeError"):
        morered.relax(water, "lost")
    with pytest.raises(ValueError, match=r"no method 'hard'; there are: auto, fast, .*, lost, soft"):
        morered.relax(water, "hard")
