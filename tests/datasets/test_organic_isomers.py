"""Stereoisomers and conformers of QM7's training graphs."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from morered.datasets import qm7
from morered.datasets.organic import choice, isomers, minima
from morered.units import EV_PER_KCAL_MOL


@pytest.mark.parametrize(
    ("smiles", "count"),
    [("CCO", 1), ("CC=CC", 2), ("CC(O)C(N)=O", 1), ("CC(O)C(C)O", 2), ("CC(O)C(C)N", 2), ("C1CC1", 1), ("CC(N)C=CC", 2)],
)
def test_of_mirror_images_one_is_taken(smiles: str, count: int) -> None:
    """By hand: one centre has one pair of mirror images, two unlike ones two pairs, two like ones a pair and a meso form."""
    found = list(isomers.stereoisomers(Chem.MolFromSmiles(smiles)))
    assert len(found) == count
    assert len({frozenset((Chem.MolToSmiles(isomer), isomers.mirrored(isomer))) for isomer in found}) == count


def test_they_are_of_training_graphs_alone() -> None:
    entries = isomers.choose()
    structures, split = qm7.load(), qm7.default_split()
    trained = {Chem.CanonSmiles(graph) for graph in qm7.graphs(structures[structures.index_of(split.train)])}
    flat = {Chem.CanonSmiles(Chem.MolToSmiles(Chem.MolFromSmiles(entry.smiles), isomericSmiles=False)) for entry in entries}
    assert flat <= trained
    assert len(flat) > 4400
    assert len({entry.smiles for entry in entries}) == len({entry.name for entry in entries}) == len(entries)
    assert not {entry.skeleton for entry in entries} & choice.held_out_skeletons()
    assert {entry.part for entry in entries} == {"train", "validation"}


def test_cis_and_trans_are_minima_of_their_own() -> None:
    """2-Pentene: trans is 1.0 kcal/mol lower by enthalpies of formation (-31.9 and -27.6 kJ/mol)."""
    texts = ("CC/C=C/C", "CC/C=C\\C")
    built = minima.build([choice.Entry(text, text, "x", "isomer", 4) for text in texts])
    smiles, energies = built.structures.column("smiles"), built.structures.column("energy")
    trans, cis = (energies[smiles == text.encode()].min() for text in texts)
    assert 0.3 < (cis - trans) / EV_PER_KCAL_MOL < 2.0
    assert np.isfinite(energies).all()
