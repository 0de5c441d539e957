"""SDF: round trips to its four decimals, templates that keep bonds, broken records among good ones, RDKit as judge."""

import numpy as np
import pytest
from hypothesis import given, settings
from rdkit import Chem
from rdkit.Chem import AllChem

from morered import chemistry, formats
from morered.formats.sdf import DECIMALS, parse_sdf
from morered.structures import Column, Structures
from structures_support import METHANE, WATER, assert_same, names, random_structures, structures


def reading_of(text: str) -> formats.Reading:
    return parse_sdf(text, "in.sdf", "in")


def embedded(smiles: str, name: str) -> Chem.Mol:
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(molecule, randomSeed=7) == 0
    molecule.SetProp("_Name", name)
    return molecule


def block(smiles: str, name: str, **options: bool) -> str:
    return Chem.MolToMolBlock(embedded(smiles, name), **options) + "$$$$\n"


GOOD, NEXT = block("CO", "methanol"), block("C#N", "cyanide")


# --------------------------------------------------------------------- round trips


@settings(deadline=None, max_examples=60)
@given(structures(column_names=names("abXY_09 =\"'\\{}[]é/.-")))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, s: Structures) -> None:
    path = tmp_path_factory.getbasetemp() / "round.sdf"
    formats.write_sdf(path, s)
    reading = formats.read(path)
    assert reading.problems == []
    found = reading.structures()
    if "charge" in found.columns and "charge" not in s.columns:  # bonds among random atoms can have formal charges
        assert not found.charges.any()
        del found.columns["charge"]
    assert_same(found, s, decimals=DECIMALS)


def test_tensors_come_back_in_shape(tmp_path) -> None:
    s = random_structures(2)
    tensor = np.arange(s.n_atoms * 9.0).reshape(-1, 3, 3)
    formats.write_sdf(
        tmp_path / "x.sdf", s.with_columns({"t": Column(tensor, "Å", True), "one": Column(tensor[:, :1, 0], "", True)})
    )
    found = formats.read(tmp_path / "x.sdf").structures()
    np.testing.assert_array_equal(found.column("t"), tensor)
    assert found.column("one").shape == (s.n_atoms, 1)


def test_a_large_molecule_is_written_in_v3000(tmp_path) -> None:
    grid = np.stack(np.meshgrid(*[np.arange(11.0) * 3] * 3), axis=-1).reshape(-1, 3)
    s = Structures.build([np.full(len(grid), 18)], [grid], ["argon"])
    formats.write_sdf(tmp_path / "x.sdf", s)
    assert "V3000" in (tmp_path / "x.sdf").read_text()
    assert_same(formats.read(tmp_path / "x.sdf").structures(), s, decimals=DECIMALS)


def test_names_that_mean_something_else_get_an_underscore(tmp_path) -> None:
    s = Structures.build([WATER[0]], [WATER[1]], ["water"])
    given = {
        "morered": Column(np.ones(1)),
        "a<b>": Column(np.zeros(1), "eV"),
        "atom.dprop.x": Column(np.arange(1)),
        "": Column(np.arange(1) + 1),
        "two\nlines": Column(np.arange(3), "", True),
        "none": Column(np.zeros((3, 0)), "", True),
        "label": Column(np.array([b"a b", b"", b"n/a"]), "", True),
    }
    formats.write_sdf(tmp_path / "x.sdf", s.with_columns(given))
    found = formats.read(tmp_path / "x.sdf").structures()
    expected = {"morered_": "morered", "a_b_": "a<b>", "_atom.dprop.x": "atom.dprop.x", "_": "", "two_lines": "two\nlines"}
    assert {*expected, "label"} <= set(found.columns)
    for name, origin in expected.items():
        np.testing.assert_array_equal(found.column(name), given[origin].values)
        assert found.columns[name].unit == given[origin].unit
    assert found.column("label")[:2].tolist() == [b"a_b", b"_"]


@pytest.mark.parametrize("orders", [True, False])
def test_broken_geometries_are_written_as_they_are(tmp_path, orders: bool) -> None:
    """A refused molecule keeps its input, whatever that is."""
    s = Structures.build(
        [WATER[0], [0, 6], [1]], [[[0, 0, 0], [np.nan] * 3, [np.inf, 0, 0]], [[0, 0, 0]] * 2, [[1e7, 0, 0]]], "abc"
    )
    formats.write_sdf(tmp_path / "x.sdf", s, bond_orders=orders)
    reading = formats.read(tmp_path / "x.sdf")
    assert [record.problem is None for record in reading.records] == [False, False, True]


@pytest.mark.parametrize("name", ["$$$$ dollars", "x" * 120, " padded ", "two\nlines", "M  END", "ends in V2000"])
def test_names_that_the_first_line_cannot_hold(tmp_path, name: str) -> None:
    s = Structures.build([WATER[0], METHANE[0]], [WATER[1], METHANE[1]], [name, "methane"])
    formats.write_sdf(tmp_path / "x.sdf", s)
    assert formats.read(tmp_path / "x.sdf").structures().names == [name, "methane"]


# --------------------------------------------------------------------- RDKit


def test_rdkit_reads_what_we_write(tmp_path) -> None:
    molecules = [
        embedded(smiles, name) for smiles, name in (("CC(=O)N", "amide"), ("c1ccccc1O", "phenol"), ("C[N+](=O)[O-]", "nitro"))
    ]
    s = Structures.build(
        [[a.GetAtomicNum() for a in m.GetAtoms()] for m in molecules],
        [m.GetConformer().GetPositions() for m in molecules],
        ["amide", "phenol", "nitro"],
    )
    s = s.with_columns(
        {
            "energy": Column(np.array([-1.5, 2.0, 1e-7]), "eV"),
            "q": Column(np.arange(s.n_atoms) / 7, "e", True),
            "n": Column(np.arange(3)),
        }
    )
    formats.write_sdf(tmp_path / "x.sdf", s)
    for m, found in enumerate(Chem.SDMolSupplier(str(tmp_path / "x.sdf"), removeHs=False)):
        assert found.GetProp("_Name") == s.names[m]
        # Connectivity and orders come from the coordinates alone.
        assert Chem.CanonSmiles(Chem.MolToSmiles(Chem.RemoveHs(found))) == Chem.MolToSmiles(Chem.RemoveHs(molecules[m]))
        assert found.GetDoubleProp("energy") == s.column("energy")[m]
        assert found.GetIntProp("n") == m
        charges = s.column("q")[s.offsets[m] : s.offsets[m + 1]]
        assert [atom.GetDoubleProp("q") for atom in found.GetAtoms()] == charges.tolist()


def test_we_read_what_rdkit_writes(tmp_path) -> None:
    molecules = [embedded("CCO", "ethanol"), embedded("CS", "thiol")]
    with Chem.SDWriter(str(tmp_path / "x.sdf")) as writer:
        for k, molecule in enumerate(molecules):
            molecule.SetDoubleProp("energy", -1.5 * k)
            molecule.SetProp("note", "two\nlines")
            for atom in molecule.GetAtoms():
                atom.SetDoubleProp("q", atom.GetIdx() / 4)
                atom.SetBoolProp("ring", atom.GetIdx() == 0)
                atom.SetProp("kind", atom.GetSymbol())
            for make, key in (
                (Chem.CreateAtomDoublePropertyList, "q"),
                (Chem.CreateAtomBoolPropertyList, "ring"),
                (Chem.CreateAtomStringPropertyList, "kind"),
            ):
                make(molecule, key)
            writer.write(molecule)
    reading = formats.read(tmp_path / "x.sdf")
    assert reading.problems == reading.notes == []
    s = reading.structures()
    assert s.names == ["ethanol", "thiol"]
    assert s.columns["energy"].values.tolist() == [0.0, -1.5]
    assert s.columns["energy"].unit == "eV"
    assert s.column("note").tolist() == [b"two\nlines"] * 2
    assert s.column("q")[:9].tolist() == [i / 4 for i in range(9)]
    assert s.column("ring").dtype == bool
    assert s.column("kind")[:3].tolist() == [b"C", b"C", b"O"]
    expected = np.concatenate([m.GetConformer().GetPositions() for m in molecules])
    np.testing.assert_allclose(s.positions, expected, atol=0.51e-4)  # half of the last of four decimals


@pytest.mark.parametrize("options", [{}, {"forceV3000": True}, {"kekulize": False}])
def test_versions_and_aromatic_bonds(options: dict) -> None:
    reading = reading_of(block("c1ccccc1", "benzene", **options))
    assert reading.problems == reading.notes == []
    assert reading.structures().numbers.tolist() == [6] * 6 + [1] * 6


def test_templates_keep_the_sources_own_bonds_and_charges(tmp_path) -> None:
    source = tmp_path / "in.sdf"
    source.write_text(block("C[N+](C)(C)CC(=O)[O-]", "betaine") + block("C[C@H](F)O", "chiral") + GOOD)
    reading = formats.read(source)
    s = reading.structures()
    moved = s.with_positions(s.positions + np.random.default_rng(1).normal(scale=0.5, size=s.positions.shape))
    formats.write_sdf(tmp_path / "out.sdf", moved[::-1], templates=reading.templates)
    found = formats.read(tmp_path / "out.sdf")
    assert_same(found.structures(), moved[::-1], decimals=DECIMALS)
    for before, after in zip(reading.records[::-1], found.records, strict=True):
        for ours, theirs in zip(after.template.GetBonds(), before.template.GetBonds(), strict=True):
            assert (ours.GetBeginAtomIdx(), ours.GetEndAtomIdx(), ours.GetBondType()) == (
                theirs.GetBeginAtomIdx(),
                theirs.GetEndAtomIdx(),
                theirs.GetBondType(),
            )
        assert [a.GetFormalCharge() for a in after.template.GetAtoms()] == [
            a.GetFormalCharge() for a in before.template.GetAtoms()
        ]


def test_a_template_of_other_atoms_is_not_used(tmp_path) -> None:
    reading = reading_of(GOOD)
    s = Structures.build([WATER[0]], [WATER[1]], ["methanol"])
    formats.write_sdf(tmp_path / "x.sdf", s, templates=reading.templates)
    assert_same(formats.read(tmp_path / "x.sdf").structures(), s, decimals=DECIMALS)


def test_bonds_without_orders_and_where_none_are_found(tmp_path) -> None:
    molecule = embedded("CC=O", "aldehyde")
    numbers = [a.GetAtomicNum() for a in molecule.GetAtoms()]
    s = Structures.build(
        [numbers, [6, 6]], [molecule.GetConformer().GetPositions(), [[0, 0, 0], [0, 0, 1.2]]], ["aldehyde", "C2"]
    )
    for orders in (False, True):
        formats.write_sdf(tmp_path / "x.sdf", s, bond_orders=orders)
        found = [record.template for record in formats.read(tmp_path / "x.sdf").records]
        kinds = {bond.GetBondType() for bond in found[0].GetBonds()}
        assert kinds == {Chem.BondType.SINGLE, Chem.BondType.DOUBLE} if orders else {Chem.BondType.SINGLE}
        for m, template in enumerate(found):
            pairs = sorted(tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in template.GetBonds())
            assert pairs == [tuple(p) for p in chemistry.bonds(s.molecule(m).numbers, s.molecule(m).positions)]


# --------------------------------------------------------------------- broken records


def changed(old: str, new: str, count: int = 1) -> str:
    text = block("CO", "bad")
    assert old in text
    return text.replace(old, new, count)


FIRST = next(line for line in block("CO", "bad").splitlines() if " C " in line)
LINES = block("CO", "bad").splitlines(keepends=True)

_DRAWING = (
    "bad\n     RDKit          2D\n\n  2  1  0  0  0  0  0  0  0  0999 V2000\n"
    "    0.0000    0.0000    0.0000 C   0  0\n    1.5000    0.0000    0.0000 O   0  0\n  1  2  1  0\nM  END\n$$$$\n"
)

BROKEN = {
    "counts": (changed("  6  5", " six 5"), "the counts line cannot be read"),
    "number": (changed(FIRST[:10], "    abc   "), "atom 1 of 6 cannot be read"),
    "nan": (changed(FIRST[:10], "       nan"), "the coordinates of atom 1 are not finite (nan "),
    "symbol": (changed(" C ", " Xx"), "atom 1 is of no known element: 'Xx'"),
    "query": (changed(" C ", " * "), "atom 1 is of no known element: '*'"),
    "bond to nothing": (changed("  1  2  1", "  1 99  1"), "RDKit cannot read it"),
    "cut in the atoms": ("".join(LINES[:7]) + "$$$$\n", "cut off: 6 atoms are announced, 3 follow"),
    "cut in the bonds": ("".join(LINES[:12]) + "$$$$\n", "cut off: 6 atoms are announced, only 2 of 5 bonds follow"),
    "cut in the header": ("".join(LINES[:2]) + "$$$$\n", "cut off within its header"),
    "no end": (changed("M  END\n", ""), "cut off: there is no line M  END"),
    "too many atoms": (changed("  6  5", "  9  5"), "atom 7 of 9 cannot be read"),
    "no atoms": ("bad\n\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n$$$$\n", "it has no atoms"),
    "one point": (
        "bad\n     RDKit          3D\n\n  2  1  0  0  0  0  0  0  0  0999 V2000\n"
        + ("    0.0000    0.0000    0.0000 H   0  0\n" * 2)
        + "  1  2  1  0\nM  END\n$$$$\n",
        "it has no coordinates: all atoms are at one point",
    ),
    "drawing": (
        _DRAWING,
        "a flat drawing (its header says 2D), no geometry",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_record_between_good_ones(case: str) -> None:
    text, reason = BROKEN[case]
    reading = reading_of(GOOD + text + NEXT)
    assert len(reading.problems) == 1
    assert reading.problems[0].startswith(f"in.sdf, molecule 2 (bad): {reason}")
    assert reading.structures().names == ["methanol", "cyanide"]


def test_a_file_that_is_cut_off() -> None:
    reading = reading_of((GOOD + NEXT)[: len(GOOD) + 160])
    assert reading.structures().names == ["methanol"]
    assert reading.problems[0].startswith("in.sdf, molecule 2 (cyanide): ")


def test_the_last_separator_may_be_missing() -> None:
    assert reading_of(GOOD + NEXT.removesuffix("$$$$\n")).structures().names == ["methanol", "cyanide"]


def test_a_missing_separator_hides_no_molecule() -> None:
    assert reading_of(GOOD.removesuffix("$$$$\n") + NEXT).structures().names == ["methanol", "cyanide"]
    assert reading_of(GOOD.removesuffix("$$$$\n") + ">  <energy>\n1.5\n\n" + NEXT).structures().names == ["methanol", "cyanide"]


def test_missing_hydrogens_are_told_and_how_to_add_them() -> None:
    reading = reading_of(Chem.MolToMolBlock(Chem.RemoveHs(embedded("CO", "bare"))) + "$$$$\n" + GOOD)
    assert reading.structures().names == ["methanol"]
    assert reading.problems[0].startswith("in.sdf, molecule 1 (bare): 4 hydrogen atoms are missing. --add-hydrogens adds them")


def test_values_that_make_no_column_are_told() -> None:
    text = GOOD.replace("$$$$", ">  <x>\n1 2\n\n$$$$") + NEXT.replace("$$$$", ">  <x>\n1 2 3\n\n$$$$")
    reading = reading_of(text)
    assert reading.structures().columns == {}
    assert reading.notes == ["in.sdf: 'x' is left out: its values do not make a column"]


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """RDKit's own log would break a pipe's output and frighten a user about molecules that are reported anyway."""
    for text, _ in BROKEN.values():
        reading_of(text)
    assert capfd.readouterr() == ("", "")
