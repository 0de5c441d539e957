"""Named checks of a structure, pass or fail: the same for `relax`, for `generate` and for whole libraries.

    table      what is checked, and what a check that does not pass means for the verdict
    judged     all checks of results beside their inputs
    geometry   lengths, angles and contacts of each kind of bond and atom, against ranges of known minima
    identity   bonds, fragments and hydrogens of a result beside those of its input
    known      the bonds that a source states (bond block, SMILES), carried along as a column
    proper     whether an input is a molecule's geometry at all

Shapes in all of them: M molecules, A atoms (flat), E bonds.
"""
