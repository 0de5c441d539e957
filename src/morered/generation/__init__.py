"""Generation: a composition and pure noise become molecules (Appendix B.5), and their quality is measured.

`sampling` makes structures; `examine` tells what each of them is (`perception`, `geometry`, `stability`), `quality` what a set
of them is.
"""
