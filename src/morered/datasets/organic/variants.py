"""Molecules made from those of the lists: ions, element exchanges, and dimers that hold together weakly."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from rdkit import Chem, rdBase

#: Atoms that take a proton: amines that are no amides or anilines, aromatic nitrogen with a lone pair in the plane, amidines.
BASES = (
    "[NX3;+0;!$(N-[C,S,P]=[O,N,S]);!$(N-a);!$(N-C=[C,N]);!$(N~[N,O])]",
    "[nX2;+0;r6]",
    "[nX2;+0;r5;$(n1cncc1),$(n1ccnc1)]",
    "[NX2;+0;$(N=C(N)[N,C])]",
)
#: Atoms that give one.
ACIDS = (
    "[OX2H;+0;$(O-C=O)]",
    "[OX2H;+0;$(O-c)]",
    "[OX2H;+0;$(O-[P,S]=O)]",
    "[SX2H;+0]",
    "[NX3H1;+0;$(N-S(=O)=O)]",
    "[nH;+0;$(n1nnnc1),$(n1nncn1),$(n1nnc2ccccc12)]",
)
#: Exchanges of one atom by one of its column, as SMARTS of the atom and the atomic number that it gets.
EXCHANGES = (
    ("[CX4;H0;!$(C~[N,O,S,F,Cl,Br,I])]", 14),
    ("[CX4;H1;!R;!$(C~[N,O,S,F,Cl,Br,I])]", 14),
    ("[SX2;+0]", 34),
    ("[sX2;+0]", 34),
    ("[SX3;+0;$(S(=O)([#6])[#6])]", 34),
    ("[NX3;H0;+0;!$(N-[C,S,P]=[O,N,S]);!$(N~[N,O]);!R]", 33),
    ("[NX3;H0;+0;!$(N-[C,S,P]=[O,N,S]);!$(N~[N,O]);!R]", 15),
    ("[PX4;+0;$(P=O)]", 33),
    ("[ClX1;$(Cl-c)]", 53),
    ("[FX1;$(F-c)]", 35),
    ("[FX1;$(F-c)]", 53),
)
_BORONIC = Chem.MolFromSmarts("[Br,I;$([Br,I]-c)]")

#: Partners of dimers.
PARTNERS = (
    *("O", "N", "C", "CO", "C=O", "NC=O", "OC=O", "CC(=O)O", "F", "Cl", "C#N", "O=C=O", "C=C", "C#C", "c1ccccc1", "c1ccncc1"),
    *("c1cc[nH]c1", "CC(N)=O", "CS(C)=O", "Oc1ccccc1", "Nc1ccccc1", "Brc1ccccc1", "CBr", "CI", "S", "CS", "CN", "c1c[nH]cn1"),
    *("O=c1cc[nH]c(=O)[nH]1", "CC(C)=O", "ClC(Cl)Cl", "CC#N", "C1CCCCC1", "FC(F)F", "COC", "COP(=O)(OC)OC", "C[Si](C)(C)O"),
    "OB(O)O",
)


def _patterns(texts: Iterable[str]) -> list[Chem.Mol]:
    return [Chem.MolFromSmarts(text) for text in texts]


_BASES, _ACIDS = _patterns(BASES), _patterns(ACIDS)
_EXCHANGES = [(Chem.MolFromSmarts(text), number) for text, number in EXCHANGES]


def ions(molecule: Chem.Mol) -> Iterator[Chem.Mol]:
    """Forms of a molecule with a proton more or less, one for each atom that takes or gives one."""
    for patterns, sign in ((_BASES, 1), (_ACIDS, -1)):
        for atom in sorted({match[0] for pattern in patterns for match in molecule.GetSubstructMatches(pattern)}):
            changed = Chem.RWMol(molecule)
            target = changed.GetAtomWithIdx(atom)
            hydrogens = target.GetTotalNumHs() + sign
            target.SetFormalCharge(sign)
            target.SetNoImplicit(True)
            target.SetNumExplicitHs(hydrogens)
            if (sound := _sanitised(changed)) is not None:
                yield sound


def exchanges(molecule: Chem.Mol) -> Iterator[Chem.Mol]:
    """Forms of a molecule with one atom exchanged for a heavier one, or an aromatic bromine or iodine for a boronic acid."""
    for pattern, number in _EXCHANGES:
        for atom, *_ in molecule.GetSubstructMatches(pattern)[:1]:
            changed = Chem.RWMol(molecule)
            changed.GetAtomWithIdx(atom).SetAtomicNum(number)
            if (sound := _sanitised(changed)) is not None:
                yield sound
    if molecule.HasSubstructMatch(_BORONIC):
        acid = Chem.MolFromSmiles("B(O)O")
        (changed, *_) = Chem.ReplaceSubstructs(molecule, _BORONIC, acid)
        if (sound := _sanitised(Chem.RWMol(changed))) is not None:
            yield sound


def dimers(count: int, seed: int = 0) -> list[str]:
    """SMILES of so many different pairs of `PARTNERS`; a seed fixes which."""
    pairs = [(a, b) for k, a in enumerate(PARTNERS) for b in PARTNERS[k:]]
    return [f"{a}.{b}" for a, b in random.Random(f"dimers {seed}").sample(pairs, min(count, len(pairs)))]


def _sanitised(molecule: Chem.RWMol) -> Chem.Mol | None:
    with rdBase.BlockLogs():
        try:
            Chem.SanitizeMol(molecule)
        except Chem.MolSanitizeException:
            return None
        return Chem.MolFromSmiles(Chem.MolToSmiles(molecule))  # what a SMILES says is what will be built
