"""Figures and tables of the paper, one module each, made from tables and `Structures` and never from the config.

Every module has ``numbers(...)``, which gives pandas frames, ``draw(frames, stem)``, which draws them and writes ``stem.png``,
``stem.pdf`` and ``stem.csv``, and ``make(..., stem=...)``, which is both.
"""
