"""Molecules, oracles and methods that the tests of relaxation share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for relaxation_support: pytest's importlib mode leaves the path alone

from relaxation_support import Oracle, diffused, minima, model

from morered.models.weights import LoadedModel
from morered.relaxation import DiffusionMethod
from morered.settings.relaxation import Overrelaxation, Restarts
from morered.structures import Structures


@pytest.fixture(scope="session")
def molecules() -> Structures:
    """Nineteen different minima of QM7, 5 to 20 atoms."""
    return minima()


@pytest.fixture(scope="session")
def noisy(molecules: Structures) -> Structures:
    """The same after 250 steps of the forward process."""
    return diffused(molecules)


@pytest.fixture
def jt(molecules: Structures) -> LoadedModel:
    """The exact joint model of these molecules."""
    return model(Oracle(molecules, "morered-jt"))


@pytest.fixture
def methods(molecules: Structures, jt: LoadedModel) -> dict[str, DiffusionMethod]:
    """Every kind of diffusion relaxation, by name."""
    noise, time = model(Oracle(molecules, "noise")), model(Oracle(molecules, "time"))
    return {
        "ITP": DiffusionMethod(noise=noise, time=time, schedule="initial"),
        "AS": DiffusionMethod(noise=noise, time=time),
        "JT": DiffusionMethod(noise=jt, time=jt),
        "DDPM": DiffusionMethod(noise=noise, schedule="fixed", start_step=249),
        "deterministic": DiffusionMethod(noise=jt, time=jt, stochastic=False),
        "jump": DiffusionMethod(noise=jt, time=jt, move="jump"),
        "damped": DiffusionMethod(noise=jt, time=jt, move="jump", damping=0.5),
        "ddim": DiffusionMethod(noise=jt, time=jt, move="ddim"),
        "ddim-initial": DiffusionMethod(noise=noise, time=time, schedule="initial", move="ddim"),
        "accelerated": DiffusionMethod(noise=jt, time=jt, move="accelerated"),
        "overrelaxed": DiffusionMethod(noise=jt, time=jt, move="accelerated", overrelaxation=Overrelaxation(atoms=14)),
        "restarted": DiffusionMethod(noise=jt, time=jt, move="accelerated", restarts=Restarts(tries=2, distance=0.6)),
    }
