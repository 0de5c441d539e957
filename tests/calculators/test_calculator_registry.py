"""The registry: names, options, and what is refused."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

from morered import calculators
from morered.calculators import registry
from morered.calculators.base import chunks
from morered.calculators.xtb import Xtb


def test_every_name_leads_to_a_factory_with_keyword_options():
    assert {"mmff94", "gfn1", "gfn2", "so3lr", "mlff"} <= set(calculators.names())
    for name in calculators.names():
        factory = registry._factory(name)
        assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in inspect.signature(factory).parameters.values()), name


def test_options_reach_the_calculator():
    assert calculators.options("gfn2") == {"accuracy": 0.1, "max_iterations": 250}
    calculator = calculators.get("gfn2", accuracy=0.5)
    assert isinstance(calculator, Xtb)
    assert calculator.accuracy == 0.5


def test_an_unknown_name_is_refused_with_what_there_is():
    with pytest.raises(
        ValueError,
        match=r"no calculator 'gfn3'; there are: mmff94, mmff94-openbabel, gfn1, gfn2, aimnet2, so3lr, mlff, pbe0, pbe0\+mbd",
    ):
        calculators.get("gfn3")


def test_an_unknown_or_missing_option_is_refused_with_what_there_is():
    with pytest.raises(ValueError, match="calculator 'gfn2' has no option 'acuracy'; there are: accuracy, max_iterations"):
        calculators.get("gfn2", acuracy=0.1)
    with pytest.raises(ValueError, match="calculator 'mlff' needs option 'weights'"):
        calculators.get("mlff")
    with pytest.raises(ValueError, match="dtype must be"):
        calculators.get("so3lr", dtype="float16")
    with pytest.raises(ValueError, match="max_pairs must be"):
        calculators.get("so3lr", max_pairs=0)


def test_another_calculator_can_be_registered_once(monkeypatch):
    monkeypatch.setattr(registry, "_FACTORIES", dict(registry._FACTORIES))
    load = registry._FACTORIES["gfn2"]
    calculators.register("tight", load)
    calculators.register("tight", load)
    assert calculators.get("tight").name == "gfn2"
    with pytest.raises(ValueError, match="a calculator 'tight' already"):
        calculators.register("tight", registry._FACTORIES["gfn1"])


def test_the_registry_imports_no_library_before_it_is_asked():
    code = "import sys; import morered.calculators as c; c.names(); print({'torch', 'tblite', 'openbabel'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_chunks_stay_within_their_budget():
    costs = np.array([4, 4, 4, 20, 1, 1, 9])
    parts = list(chunks(costs, 10))
    assert [k for part in parts for k in range(part.start, part.stop)] == list(range(len(costs)))
    assert [costs[part].sum() for part in parts] == [8, 4, 20, 2, 9]
    assert list(chunks(costs[:0], 10)) == []
