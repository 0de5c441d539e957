"""Stereoisomers and conformers of QM7's training graphs: many minima of few molecules, as QM7-X has them.

Of two mirror images one is taken. No graph of QM7's validation or test split is among them, nor one that shares its skeleton.
"""

from __future__ import annotations

from collections.abc import Iterator

from rdkit import Chem
from rdkit.Chem import EnumerateStereoisomers

from morered.datasets import qm7
from morered.datasets.organic.choice import Entry, held_out_skeletons, rotors
from morered.datasets.organic.identity import skeleton, usable

#: Conformers that are started of a stereoisomer, at most; a molecule without rotors starts two, for what its rings allow.
MOST_CONFORMERS = 8


def choose() -> list[Entry]:
    """Every stereoisomer of every graph, with the number of conformers that its rotors suggest."""
    structures, split = qm7.load(), qm7.default_split()
    minima = structures[structures.index_of(split.train)]
    held_out = held_out_skeletons()
    found: dict[str, Entry] = {}
    for name, graph in zip(minima.names, qm7.graphs(minima), strict=True):
        for k, isomer in enumerate(stereoisomers(Chem.MolFromSmiles(graph))):
            smiles, key = Chem.MolToSmiles(isomer), skeleton(isomer)
            if smiles in found or key in held_out or not usable(isomer):
                continue
            found[smiles] = Entry(f"{name}/isomer{k}", smiles, key, "isomer", min(2 * (1 + rotors(isomer)), MOST_CONFORMERS))
    return list(found.values())


def stereoisomers(molecule: Chem.Mol) -> Iterator[Chem.Mol]:
    """All stereoisomers, one of each pair of mirror images, in the order of their SMILES; some may be too strained to exist."""
    options = EnumerateStereoisomers.StereoEnumerationOptions(unique=True, tryEmbedding=False)
    every = {Chem.MolToSmiles(isomer) for isomer in EnumerateStereoisomers.EnumerateStereoisomers(molecule, options=options)}
    for smiles in sorted(every):
        isomer = Chem.MolFromSmiles(smiles)
        if smiles <= mirrored(isomer):
            yield isomer


def mirrored(molecule: Chem.Mol) -> str:
    """Canonical SMILES of the mirror image."""
    image = Chem.Mol(molecule)
    for atom in image.GetAtoms():
        if atom.GetChiralTag() in (Chem.ChiralType.CHI_TETRAHEDRAL_CW, Chem.ChiralType.CHI_TETRAHEDRAL_CCW):
            atom.InvertChirality()
    return Chem.MolToSmiles(image)
