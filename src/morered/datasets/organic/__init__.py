"""The dataset ``organic``: minima of the molecules that people have, at one level of theory, from SMILES lists in packages.

`packages` are the files the lists come in, `lists` reads them, `identity` says when two molecules are the same graph, `choice`
picks test sets and training molecules, `variants` makes ions, element exchanges and dimers of what was picked, `minima` relaxes.
"""

#: Level of theory of the minima.
LEVEL = "minima at AIMNet2 (wB97M-D3/def2-TZVPP)"
