import pytest

from morered.energies import cost


def test_functions_are_those_of_the_basis():
    from pyscf import gto

    for basis, (heavy, hydrogen) in cost.FUNCTIONS.items():
        system = gto.M(atom="C 0 0 0; H 0 0 9; H 0 9 0", basis=basis, verbose=0)
        assert system.nao == heavy + 2 * hydrogen, basis


def test_what_a_dry_run_says():
    assert cost.seconds({"basis": "def2-svp"}) < cost.seconds({}) < cost.seconds({"density_fitting": False})
    sentence = cost.of_points(800, 40, {})
    total = 800 * cost.seconds({}) / 3600
    assert f"at most 800 single points with PBE0/def2-tzvp: about {total:.1f} h" in sentence
    assert "in 40 jobs of" in sentence
    assert "not known" in cost.of_points(10, 1, {"basis": "pc-2"})
    assert "in 1 job;" in cost.of_points(10, 1, {"basis": "pc-2"})
    assert cost.of_optimisations(3, 1, {"basis": "sto-3g"}, 5).endswith("if each takes 5 evaluations")
    assert cost.seconds({}, 8) == pytest.approx(cost.seconds({}) / 4)
    assert cost.seconds({}, 32) == pytest.approx(cost.seconds({}) * 4)
    assert "molecules of 8 atoms" in cost.of_points(10, 1, {}, 8)


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (600, "10 min"), (7200, "2.0 h")])
def test_times_are_told_in_fitting_units(seconds, text):
    assert cost._text(seconds) == text


def test_a_sample_of_all_inputs_says_what_one_costs():
    sentence = cost.of_points(None, 40, {})
    assert sentence.startswith("many single points with PBE0/def2-tzvp: about")
    assert "of one core each" in sentence
