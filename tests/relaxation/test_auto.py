"""Each molecule by the network that knows it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from rdkit import Chem
from rdkit.Chem import AllChem

import morered
from morered.relaxation import Recording, RelaxationInterrupted, from_config, relax
from morered.relaxation.auto import networks, relax_auto
from morered.relaxation.codes import Code
from morered.relaxation.methods import preset
from morered.relaxation.stages import relax_stages
from morered.relaxation.uncertainty import relax_repeatedly
from morered.relaxation.verdicts.columns import AUTO as COLUMN
from morered.settings.auto import AutoMethod
from morered.structures import Column, Structures

AUTO = preset("auto")


def embedded(smiles: str) -> Atoms:
    """ETKDGv3's conformer."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    return Atoms([atom.GetSymbol() for atom in mol.GetAtoms()], mol.GetConformer().GetPositions())


def structures(**atoms: Atoms) -> Structures:
    built = Structures.build([a.numbers for a in atoms.values()], [a.positions for a in atoms.values()], list(atoms))
    charges = [int(a.info.get("charge", 0)) for a in atoms.values()]
    return built.with_electrons(charges)


@pytest.fixture(scope="module")
def mixed() -> Structures:
    """Of each kind one, small ones first, in the middle and last."""
    ion = molecule("NH3")
    ion = Atoms("NH4", [*ion.positions, ion.positions[0] + [0, 0, 1.0]], info={"charge": 1})
    boron = embedded("OB(O)c1ccc(F)cc1")
    return structures(
        ethanol=molecule("CH3CH2OH"),
        drug=embedded("CCN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc21"),
        ammonium=ion,
        acetone=molecule("CH3COCH3"),
        anisole=embedded("COc1ccccc1"),
        boron=boron,
        iron=Atoms("FeO", [[0, 0, 0], [0, 0, 1.6]]),
        silane=molecule("SiH4"),
        water=molecule("H2O"),
        ethane=molecule("C2H6"),
    )


@pytest.fixture(scope="module")
def done(mixed: Structures) -> morered.relaxation.Result:
    return relax(mixed, AUTO, recording=Recording(frames=True))


def ways(results: Structures) -> dict[str, str]:
    return dict(zip(results.names, (way.decode() for way in results.column(COLUMN).tolist()), strict=True))


def test_small_molecules_go_one_way_and_others_another(mixed: Structures, done: morered.relaxation.Result) -> None:
    found = ways(done.structures)
    assert [found[name] for name in ("ethanol", "acetone", "ethane")] == ["fast"] * 3
    assert found["drug"] == found["anisole"] == "mmff94+organic"
    assert found["silane"] == found["ammonium"] == "organic"
    assert found["water"] == "organic"  # fast does not come to rest
    assert found["boron"] == "organic"  # MMFF94 has no parameters
    assert found["iron"] == ""
    reasons = dict(zip(done.structures.names, done.reasons, strict=True))
    assert "the method before it" in reasons["boron"]
    assert "--method gfn2" in reasons["iron"]
    assert done.structures.names == mixed.names
    verdicts = dict(zip(done.structures.names, done.verdicts, strict=True))
    assert verdicts.pop("iron") == "refused"
    assert set(verdicts.values()) == {"converged"}


def test_a_result_is_that_of_the_methods_by_themselves(mixed: Structures, done: morered.relaxation.Result) -> None:
    small = relax(mixed[[0, 3, 9]], preset("fast")).structures
    np.testing.assert_array_equal(done.structures[[0, 3, 9]].positions, small.positions)
    drug = mixed[[1]]
    first = relax(drug, preset("mmff94")).structures
    then = relax(drug.with_positions(first.positions), preset("organic")).structures
    both = relax_stages(drug, [preset("mmff94"), preset("organic")]).structures
    one = done.structures[[1]]
    np.testing.assert_allclose(one.positions, both.positions, atol=1e-6)
    for name in ("expected_rmsd", "expected_energy", "last_time"):
        assert one.column(name)[0] == pytest.approx(both.column(name)[0]) == then.column(name)[0]
    assert np.isnan(done.structures.column("expected_rmsd")[[0, 3, 6, 9]]).all()
    glance = relax(drug, from_config({"preset": "organic", "steps": 1, "restarts": None})).structures
    assert one.column("first_time")[0] == glance.column("first_time")[0] > AUTO.first_above


def test_what_the_method_before_changed_is_the_networks_alone(mixed: Structures, monkeypatch: pytest.MonkeyPatch) -> None:
    one = mixed[[mixed.names.index("drug")]]

    def relaxing(given: Structures, method: Any, **options: Any) -> morered.relaxation.Result:
        result = relax(given, method, **options)
        if method == preset("mmff94"):
            result.structures = result.structures.with_columns({"verdict": Column(np.array([b"changed"]))})
            result.code[:] = int(Code.CHANGED)
        return result

    changed = relax_auto(one, AUTO, relaxing, device="cpu", workers=1).structures
    alone = relax(one, preset("organic")).structures
    assert ways(changed) == {"drug": "organic"}
    np.testing.assert_allclose(changed.positions, alone.positions, atol=1e-6)


def test_a_geometry_near_a_minimum_does_not_see_mmff94(done: morered.relaxation.Result) -> None:
    again = relax(done.structures[[1, 4]].without_columns(), AUTO).structures
    assert ways(again) == {"drug": "organic", "anisole": "organic"}
    assert (again.column("moved") < 0.05).all()


def test_steps_of_the_networks_are_recorded_in_the_order_of_the_input(mixed: Structures, done: morered.relaxation.Result) -> None:
    steps = done.trajectories
    assert steps is not None
    assert steps.ids.tolist() == mixed.ids.tolist()
    lengths, taken = steps.lengths, done.structures.column("steps")
    led = np.array([way.startswith("mmff94") for way in ways(done.structures).values()])
    assert (lengths <= taken).all()
    assert (lengths[led] < taken[led]).all()
    assert [steps.trajectory(m).frames is not None for m in range(len(mixed))] == (lengths > 0).tolist()


def test_what_belongs_to_a_geometry_stays_with_what_did_not_move(mixed: Structures) -> None:
    chosen = mixed[[0, 6, 7]]
    dipoles = Column(np.array([1, 2, 3]), "D")
    energies = Column(np.array([-1.0, -2.0, -3.0]), "eV")
    found = relax(chosen.with_columns({"dipole": dipoles, "energy": energies, "batch": Column(np.arange(3))}), AUTO).structures
    np.testing.assert_array_equal(found.column("batch"), [0, 1, 2])
    for name, value in (("dipole", 2.0), ("energy", -2.0)):
        np.testing.assert_array_equal(found.column(name), [np.nan, value, np.nan])


def test_a_further_method_keeps_what_auto_chose_and_another_relaxation_does_not(mixed: Structures) -> None:
    both = relax_stages(mixed[[0, 7]], [AUTO, preset("gfn2", fmax=0.05)]).structures
    assert ways(both) == {"ethanol": "fast", "silane": "organic"}
    later = relax(both, preset("gfn2", fmax=0.01)).structures
    assert COLUMN not in later.columns


def test_no_molecules_give_no_results() -> None:
    nothing = relax(Structures.build([], [], []), AUTO)
    assert len(nothing) == 0
    assert COLUMN in nothing.structures.columns


def test_the_spread_of_times_is_that_of_the_network_which_made_the_result(mixed: Structures) -> None:
    some = mixed[[0, 4, 7]]
    found = relax_repeatedly(some, [AUTO], 2).structures
    alone = relax_repeatedly(some[[0]], [preset("fast")], 2).structures
    assert np.isfinite(found.column("time_spread")).all()
    np.testing.assert_allclose(found.column("time_spread")[0], alone.column("time_spread")[0], rtol=1e-4)


@pytest.mark.parametrize("stopped", range(5))
def test_an_interrupt_keeps_what_is_done(mixed: Structures, stopped: int) -> None:
    calls: list[int] = []

    def interrupted(given: Structures, method: Any, **options: Any) -> morered.relaxation.Result:
        calls.append(len(given))
        result = relax(given, method, **options)
        if len(calls) == stopped + 1:
            result.interrupted = True
            raise RelaxationInterrupted(result)
        return result

    options = {"seed": None, "device": "cpu", "workers": None, "recording": Recording(), "progress": False}
    with pytest.raises(RelaxationInterrupted) as caught:  # small ones, a glance, MMFF94, far ones, all others
        relax_auto(mixed, AUTO, interrupted, **options)
    result = caught.value.result
    assert len(calls) == stopped + 1
    assert result.interrupted
    assert result.structures.names == mixed.names
    untried = [name for name, reason in zip(mixed.names, result.reasons, strict=True) if reason == "interrupted"]
    assert len(untried) == [6, 6, 3, 3, 0][stopped]


def test_weights_of_ones_own_take_the_place_of_the_small_molecules_network() -> None:
    assert preset("auto", "morered-jt") == preset("fast", "morered-jt")
    ethanol = molecule("CH3CH2OH")
    assert COLUMN not in morered.relax(ethanol, weights="morered-jt-elastic").info
    assert morered.relax(ethanol).info[COLUMN] == "fast"


def test_settings_are_checked_and_the_cap_holds(mixed: Structures) -> None:
    assert AUTO == AutoMethod() == from_config({"preset": "auto"})
    with pytest.raises(ValueError, match=r"small: gfn2 is no method of reverse diffusion"):
        relax(mixed, AutoMethod(small="gfn2"))
    capped = from_config({"preset": "auto", "steps": 1})
    assert [network.steps for network in networks(capped)] == [1, 1]
    never = relax(mixed[[1]], from_config({"preset": "auto", "first": None}), device="auto").structures
    assert ways(never) == {"drug": "organic"}
