"""When two molecules are the same for the purpose of a split: the same skeleton, whatever stereoisomer, tautomer or ion of it.

The first block of the InChIKey hashes formula and connectivity with mobile hydrogens shared: stereoisomers and the tautomers that
InChI knows have it in common. Ions are compared by their neutral form.
"""

from __future__ import annotations

from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

#: The elements of the reference (AIMNet2).
ELEMENTS = frozenset({1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 33, 34, 35, 53})

_LARGEST = rdMolStandardize.LargestFragmentChooser(preferOrganic=True)
_NEUTRAL = rdMolStandardize.Uncharger()


def desalted(smiles: str) -> Chem.Mol | None:
    """The largest organic fragment of a SMILES, sanitised, without atom maps or isotopes; None if it is malformed."""
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
        if molecule is None or molecule.GetNumAtoms() == 0:
            return None
        molecule = _LARGEST.choose(molecule) if "." in smiles else molecule
    for atom in molecule.GetAtoms():
        atom.SetAtomMapNum(0)
        atom.SetIsotope(0)
    return molecule


def usable(molecule: Chem.Mol, max_charge: int = 2) -> bool:
    """Whether the reference can take it: known elements, no unpaired electron, a small charge, one fragment, no dummy atom."""
    if any(atom.GetAtomicNum() not in ELEMENTS or atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
        return False
    return abs(Chem.GetFormalCharge(molecule)) <= max_charge and len(Chem.GetMolFrags(molecule)) == 1


def skeleton(molecule: Chem.Mol) -> str:
    """The first block of the InChIKey of the neutral form; the canonical SMILES without stereo where InChI has none."""
    with rdBase.BlockLogs():
        neutral = _NEUTRAL.uncharge(Chem.Mol(molecule))
        key = Chem.MolToInchiKey(neutral)
    return key[:14] or Chem.MolToSmiles(neutral, isomericSmiles=False)
