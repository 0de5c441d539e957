"""From compositions to structures: what is drawn, and that both samplers find what their network knows."""

import numpy as np
import pytest
from relaxation_support import Oracle, minima, model

from morered.datasets import qm7
from morered.generation import sampling
from morered.generation.compositions import draw, repeated
from morered.generation.formula import formula_of, numbers_of
from morered.metrics.rmsd import rmsd
from morered.relaxation import DiffusionMethod


@pytest.fixture(scope="module")
def known():
    """Three small minima; the oracle knows them by their elements."""
    molecules = minima()
    return molecules[np.argsort(molecules.sizes)[:3]]


@pytest.fixture(scope="module")
def jt(known):
    return sampling.preset("jt", model(Oracle(known, "morered-jt")))


def test_compositions_are_drawn_from_the_part_of_the_split_alone():
    everything, split = qm7.load(), qm7.default_split()
    drawn = draw(everything, split, 500)
    references = [name.decode() for name in drawn.references.tolist()]
    assert set(references) <= set(split.test)
    assert len(set(references)) < 500  # with replacement
    for molecule, reference in zip(list(drawn)[:20], references, strict=False):
        minimum = everything.molecule(int(everything.index_of([reference])[0]))
        assert formula_of(molecule.numbers) == formula_of(minimum.numbers)
    assert not drawn.positions.any()
    assert draw(everything, split, 500).same_as(drawn)
    assert not draw(everything, split, 500, seed=1).same_as(drawn)
    assert draw(everything, split, 20).references.tolist() == drawn.references[:20].tolist()


def test_compositions_have_no_element_that_the_models_do_not_know():
    everything, split = qm7.load(), qm7.default_split()
    assert 16 in draw(everything, split, 300).numbers
    drawn = draw(everything, split, 300, elements=np.array([1, 6, 7, 8]))
    assert set(np.unique(drawn.numbers).tolist()) == {1, 6, 7, 8}
    with pytest.raises(ValueError, match="of elements that the models know"):
        draw(everything, split, 3, elements=np.array([2]))


def test_a_composition_is_repeated_under_names_of_its_own():
    wanted = repeated(numbers_of("CH4"), 3, "CH4")
    assert wanted.names == ["CH4/0001", "CH4/0002", "CH4/0003"]
    assert wanted.numbers.tolist() == [6, 1, 1, 1, 1] * 3


def test_the_samplers_are_the_papers():
    jt, ddpm = sampling.preset("jt", "model"), sampling.preset("ddpm", "model")
    assert (jt.start, jt.schedule, jt.steps, jt.is_joint) == ("noise", "adaptive", 2000, True)
    assert (ddpm.start, ddpm.schedule, ddpm.start_step, ddpm.time) == ("noise", "fixed", None, None)
    assert sampling.preset("jt", "model", steps=7).steps == 7
    assert jt.stochastic
    assert ddpm.stochastic


def test_both_find_the_molecules_that_their_network_knows(known, jt):
    ddpm = sampling.preset("ddpm", model(Oracle(known, "noise")))
    placeless = known.with_positions(np.zeros_like(known.positions))
    for method in (jt, ddpm):
        made = sampling.generate(placeless, method).structures
        assert made.column("verdict").tolist() == [b"converged"] * len(known)
        assert (rmsd(made, known) < 0.05).all()
        if method is ddpm:
            assert made.column("steps").tolist() == [1000] * len(known)


def test_a_method_that_starts_from_the_input_is_refused(known, jt):
    with pytest.raises(ValueError, match="starts from noise"):
        sampling.generate(known, DiffusionMethod(noise=jt.noise, time=jt.time))
