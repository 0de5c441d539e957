"""Which inputs are followed."""

from morered.relaxation import followed
from morered.structures import Structures


def dimers(lengths, ids, references=None):
    return Structures.build([[6, 6]] * len(lengths), [[[0, 0, 0], [0, 0, length]] for length in lengths], ids, references)


def test_the_choice_of_molecules_spreads_over_the_rmsd_and_takes_each_minimum_once():
    minima = dimers([1.0] * 6, list("ABCDEF"))
    lengths = [1.6, 1.1, 1.5, 1.2, 1.4, 1.3]  # RMSD 0.3, 0.05, 0.25, 0.1, 0.2, 0.15
    inputs = dimers(lengths, list("abcdef"), list("ABCDEF"))
    # In order of RMSD: b d f e c a; quantiles 1/6, 1/2, 5/6 of six are places 1, 3, 5.
    assert [inputs.names[m] for m in followed.choose(inputs, minima)] == ["d", "e", "a"]
    same = dimers(lengths, list("abcdef"), list("AADDEF"))
    # d and e as before, of D and E; a is of A.
    assert [same.names[m] for m in followed.choose(same, minima)] == ["d", "e", "a"]
    same = dimers(lengths, list("abcdef"), list("DBCDEF"))
    # a is of D, which d has: the next in the order, from the start again, is b.
    assert [same.names[m] for m in followed.choose(same, minima)] == ["b", "d", "e"]
    assert len(followed.choose(inputs[:2], minima)) == 2
