"""Figures and tables, made from tables and `Structures` that other stages computed.

`declaration` is what a figure says of itself, `catalogue` has one package for each, and the modules here are what several of
them draw with. A ``drawing`` module has ``numbers(...)``, which gives pandas frames, ``draw(frames, stem)``, which draws them and
writes ``stem.png``, ``stem.pdf`` and ``stem.csv``, and ``make(..., stem=...)``, which is both.
"""
