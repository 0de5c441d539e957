"""A list of forty SMILES: names that come twice, lines without names, and two molecules that are none."""

SMILES = (
    *("CCO", "C", "O", "CC(=O)N", "c1ccccc1", "CC(C)C", "C1CC1", "CCN", "N#CC", "CC=O", "COC", "C=C", "C1CCCCC1", "OCCO", "CSC"),
    *("c1ccncc1", "CC(=O)O", "NC=O", "C#C", "CCC"),
)
_LINES = [smiles if k % 7 == 3 else f"{smiles}\tmol {k % 30}\tfurther words" for k, smiles in enumerate(2 * SMILES)]
_LINES[4], _LINES[24] = "C1CC broken", "[Na+].[Cl-]\tsalt"

LIBRARY = "\n".join(["smiles\tname", *_LINES]) + "\n"
