import gzip
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule as ase_molecule
from ase.io import write
from rdkit import Chem

from morered import calculators, formats, resumable
from morered.datasets import custom, qm7, splits
from morered.datasets.builder import Displacing
from morered.datasets.custom import Making
from morered.datasets.displaced import displaced_structures
from morered.datasets.duplicates import duplicates
from morered.datasets.graphs import graphs, perceive
from morered.datasets.smiles import SmilesError, conformers, graph_of, parse, read_smiles
from morered.structures import Structures

SMILES = """CCO ethanol
# a remark

C1CC broken
c1cccc1 unkekulised
C[N+](C)(C)C cation
[CH3] radical
CCO.O two
O
CCO ethanol
C#N	hydrogen cyanide
"""
GFN2 = Making(relax_with="gfn2", conformers=2)


@pytest.fixture
def smiles_file(tmp_path: Path) -> Path:
    path = tmp_path / "list.smi"
    path.write_text(SMILES)
    return path


def test_malformed_smiles_name_themselves(smiles_file: Path) -> None:
    entries = {entry.name: entry for entry in read_smiles(smiles_file)}
    assert [name for name, entry in entries.items() if entry.problem is None] == [
        "ethanol",
        "line9",
        "ethanol#2",
        "hydrogen cyanide",
    ]
    assert entries["broken"].problem == f"{smiles_file}, line 4 (broken): 'C1CC' is no SMILES"
    assert "line 5 (unkekulised)" in entries["unkekulised"].problem
    assert "charge +1" in entries["cation"].problem
    assert "unpaired electrons" in entries["radical"].problem
    assert "is 2 molecules" in entries["two"].problem


def test_files_without_a_molecule_are_refused(tmp_path: Path) -> None:
    (tmp_path / "none.smi").write_text("# nothing\n")
    with pytest.raises(ValueError, match="no SMILES in it"):
        read_smiles(tmp_path / "none.smi")
    (tmp_path / "bad.smi").write_text("C1CC a\n")
    with pytest.raises(ValueError, match=r"no molecule in it can be used: .*line 1 \(a\)"):
        custom.read(tmp_path / "bad.smi", "mine")
    (tmp_path / "binary.smi").write_bytes(bytes(range(256)) * 8)
    with pytest.raises(ValueError, match="not a text file"):
        read_smiles(tmp_path / "binary.smi")


@pytest.mark.parametrize("smiles", ["CC[N+](=O)[O-]", "C[C@H](N)C(=O)O", "c1ccncc1", "C1=CC2CCC1N2", "CS(C)(=O)=O", "[C-]#[N+]C"])
def test_the_graph_drawn_is_the_graph_perceived(smiles: str) -> None:
    numbers, positions = conformers(smiles, 1, seed=1)
    assert perceive(numbers, positions[0])[0] == graph_of(parse(smiles))


def test_lists_are_read_as_everywhere_else(tmp_path: Path) -> None:
    path = tmp_path / "list.smi.gz"
    path.write_bytes(gzip.compress(b"SMILES name\nCC a\nCCC a#2\nC a\tand more\n"))
    assert [(entry.name, entry.smiles, entry.problem) for entry in read_smiles(path)] == [
        ("a", "CC", None), ("a#2", "CCC", None), ("a#3", "C", None),
    ]  # fmt: skip
    assert custom.read(path, "mine").names == ["mine/a", "mine/a#2", "mine/a#3"]


def test_ions_and_radicals_are_told_and_not_made_neutral(tmp_path: Path) -> None:
    path = tmp_path / "some.xyz"
    ammonium, methyl = ase_molecule("CH4"), ase_molecule("CH3")
    ammonium.numbers[0] = 7
    ammonium.info.update(name="ammonium", charge=1)
    methyl.info.update(name="methyl", unpaired=1)
    write(path, [ammonium, methyl, ase_molecule("H2O")], format="extxyz")
    source = custom.read(path, "mine")
    assert len(source) == 1
    assert [reason.split(": ", 1)[1] for reason in source.failures.values()] == [
        "it has the charge +1; only neutral molecules are dealt with",
        "it has 1 unpaired electrons; only closed shells are dealt with",
    ]


def test_conformers_depend_on_the_seed_alone() -> None:
    one, again, other = (conformers("CCCO", 3, seed)[1] for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.allclose(one[0], other[0])
    with pytest.raises(SmilesError, match="no SMILES"):
        conformers("C(", 1, 0)


def test_minima_are_made_of_smiles(smiles_file: Path, tmp_path: Path) -> None:
    source = custom.read(smiles_file, "mine")
    parts = [
        custom.make_minima(source, GFN2, seed=5, chunk=(k, 2), folder=tmp_path / "pieces", workers=2, timeout=60)
        for k in range(2)
    ]
    whole = custom.make_minima(source, GFN2, seed=5)
    minima = custom.finish(parts, GFN2)
    assert custom.finish([whole], GFN2).structures.same_as(minima.structures)  # whatever the chunks and workers
    names = minima.structures.names
    assert "mine/ethanol-c1" in names
    assert "mine/line9-c1" in names
    assert "mine/hydrogen cyanide-c1" in names
    # ethanol stands in the list twice: its conformers are duplicates of the first one's
    assert minima.removed
    assert all(name.startswith("mine/ethanol#2-c") for name in minima.removed)
    assert set(minima.failures) == {f"mine/{name}" for name in ("broken", "unkekulised", "cation", "radical", "two")}
    # they are minima, and of what was asked for
    labels = calculators.get("gfn2").compute(minima.structures)
    assert labels.forces is not None
    assert np.linalg.norm(labels.forces, axis=1).max() < 2e-3  # relaxed to 1e-3 with a warm start, here from scratch
    assert labels.energies == pytest.approx(minima.structures.column("relaxation_energy"), abs=1e-5)
    drawn = {"ethanol": "CCO", "ethanol#2": "CCO", "line9": "O", "hydrogen cyanide": "C#N"}
    for name, graph in zip(names, minima.structures.column("graph").tolist(), strict=True):
        assert graph.decode() == Chem.CanonSmiles(drawn[name.removeprefix("mine/").rsplit("-c", 1)[0]])
    energies = [
        e
        for name, e in zip(names, minima.structures.column("relaxation_energy"), strict=True)
        if name.startswith("mine/ethanol-")
    ]
    assert energies == sorted(energies)
    # and go on through splits and displacements as any other
    split = splits.make(names, [g.decode() for g in minima.structures.column("graph").tolist()], train=1, validation=1)
    assert split.counts()["test"]["graphs"] == 1
    built = displaced_structures(minima.structures[[0]], Displacing(per_minimum=3, calculator="gfn2", labels="gfn1"), seed=0)
    assert len(built.structures) == 4
    assert not built.failures


def test_smiles_need_a_calculator(smiles_file: Path) -> None:
    with pytest.raises(ValueError, match="relax_with must name a calculator"):
        custom.make_minima(custom.read(smiles_file, "mine"), Making())


@pytest.mark.parametrize("ending", ["xyz", "sdf", "db"])
def test_structures_are_taken_as_minima_or_relaxed(tmp_path: Path, ending: str) -> None:
    some = qm7.load().without_columns()[[1, 3, 5]]
    path = tmp_path / f"some.{ending}"
    formats.write(path, some)
    source = custom.read(path, "mine")
    minima = custom.finish([custom.make_minima(source, Making())], Making())
    assert len(minima.structures) == 3
    assert all(name.startswith("mine/") for name in minima.structures.names)
    # SDF and extended xyz print four and eight decimals
    assert minima.structures.positions == pytest.approx(some.positions, abs=1e-4)
    assert [g.decode() for g in minima.structures.column("graph").tolist()] == graphs(some)
    relaxed = custom.finish([custom.make_minima(source, GFN2)], GFN2).structures
    assert (relaxed.column("fmax") < GFN2.fmax).all()
    # PBE0's minima: GFN2's own are near, in the same place
    assert 1e-4 < np.abs(relaxed.positions - some.positions).max() < 0.3


def test_a_broken_record_names_itself_and_a_hopeless_molecule_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "some.xyz"
    methane = "5\nmethane\nC 0 0 0\nH .63 .63 .63\nH -.63 -.63 .63\nH -.63 .63 -.63\nH .63 -.63 -.63\n"
    broken = "2\nbroken\nC 0 0 0\nH nan 0 1\n"
    # four hydrogens in a row, which become two molecules
    falls_apart = "4\nfalls-apart\nH 0 0 0\nH 0.75 0 0\nH 1.5 0 0\nH 2.25 0 0\n"
    path.write_text(methane + broken + falls_apart + methane.replace("methane", "again"))
    source = custom.read(path, "mine")
    built = custom.make_minima(source, GFN2, workers=1, timeout=60)
    minima = custom.finish([built], GFN2)
    assert len(minima.structures) == 1
    assert len(minima.removed) == 1
    problems = " | ".join(minima.failures.values())
    assert "some.xyz, molecule 2" in problems
    assert "not finite" in problems
    assert "changed its bonds" in problems
    assert len(minima.failures) == 2


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    source = custom.Source(["m/a"], Structures.build([[1, 1]], [[[0, 0, 0], [0, 0, 5.0]]], ["m/a"]), {})
    with pytest.raises(ValueError, match="there is no minimum: m/a"):
        custom.finish([resumable.build(source.molecules, _fails)], Making())


def _fails(molecule: object) -> Structures:
    raise ValueError("no")


# --------------------------------------------------------------------- duplicates


def test_duplicates_are_found_whatever_the_order_and_pose() -> None:
    rng = np.random.default_rng(0)
    some = qm7.load().without_columns()[qm7.load().index_of(["qm7/0061", "qm7/0062", "qm7/0014"])]  # two stereoisomers, ethanol
    numbers, positions = [], []
    for molecule in some:
        order = rng.permutation(len(molecule.numbers))
        rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        rotation *= np.sign(np.linalg.det(rotation))
        numbers.append(molecule.numbers[order])
        positions.append(molecule.positions[order] @ rotation + rng.normal(size=3) + rng.normal(size=(len(order), 3)) * 0.005)
    moved = Structures.build(numbers, positions, ["a", "b", "c"])
    everything = Structures.concatenate([some, moved])
    names = graphs(everything)
    assert names[0] == names[1]  # one graph, two stereoisomers: no duplicates
    assert duplicates(everything, names).tolist() == [False] * 3 + [True] * 3
    # an energy that differs makes a difference, an unknown one does not
    energies = np.array([0.0, 0.0, 0.0, 0.1, np.nan, 0.001])
    assert duplicates(everything, names, energies).tolist() == [False, False, False, False, True, True]


def test_a_mirror_image_is_no_duplicate() -> None:
    numbers, (positions,) = conformers("C[C@H](N)O", 1, seed=0)
    both = Structures.build([numbers] * 2, [positions, positions * [1, 1, -1]], ["r", "s"])
    assert graphs(both)[0] == graphs(both)[1]
    assert duplicates(both, graphs(both)).tolist() == [False, False]
