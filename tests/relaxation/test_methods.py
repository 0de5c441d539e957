"""Methods from configs: strict, with the path of the key in every complaint."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import yaml

from morered.relaxation import DiffusionMethod, PhysicalMethod, PotentialMethod, from_config
from morered.relaxation.methods import preset
from morered.settings.relaxation import Mixing, Restarts, Settled, StopRules


def test_the_papers_methods() -> None:
    itp = from_config({"relaxer": "morered", "noise": "n", "time": "t", "schedule": "initial"})
    assert itp == DiffusionMethod(noise="n", time="t", schedule="initial")
    assert not itp.is_joint
    assert from_config({"relaxer": "morered", "noise": "n", "time": "t"}) == DiffusionMethod(noise="n", time="t")
    assert from_config({"relaxer": "morered", "model": {"noise": "n", "time": "t"}}) == DiffusionMethod(noise="n", time="t")
    jt = from_config({"relaxer": "morered", "model": "jt"})
    assert jt == DiffusionMethod(noise="jt", time="jt", steps=1000, stochastic=True, move="reverse")
    assert jt.is_joint
    ddpm = from_config({"relaxer": "morered", "noise": "n", "schedule": "fixed", "start": "noise"})
    assert ddpm == DiffusionMethod(noise="n", schedule="fixed", start="noise")
    assert from_config({"relaxer": "mlff", "model": "f"}) == PotentialMethod(potential="mlff", model="f", fmax=5e-5, steps=1000)
    assert from_config({"relaxer": "so3lr"}) == PotentialMethod(potential="so3lr")
    gfn2 = from_config({"relaxer": "gfn2"})
    assert isinstance(gfn2, PhysicalMethod)
    assert gfn2.options["fmax"] == 5e-5
    assert gfn2.options["steps"] == 1000
    mmff = from_config({"relaxer": "mmff94", "variant": "tight", "timeout": 30})
    assert isinstance(mmff, PhysicalMethod)
    assert (mmff.options["variant"], mmff.timeout) == ("tight", 30)
    assert gfn2.timeout == 600
    assert from_config({"relaxer": "gfn2", "timeout": None}).timeout == math.inf
    assert preset("gfn2").timeout is None  # one worker needs no process for it
    assert preset("gfn2", timeout=5).timeout == 5


def test_every_option_as_a_config_gives_it() -> None:
    method = from_config(
        yaml.safe_load(
            """
            relaxer: morered
            model: jt
            steps: 40
            move: accelerated
            mixing: {memory: 6, warmup: 2, max_move: 0.2, regularisation: 1.0e-4}
            stop: {settled: {threshold: 0.02}}
            clean_below: 0.5
            restarts: {tries: 2, reach: 1}
            stochastic: false
            seed: 5
            """
        )
    )
    assert method == DiffusionMethod(
        noise="jt",
        time="jt",
        steps=40,
        move="accelerated",
        mixing=Mixing(6, 2, 0.2, 1e-4),
        stop=StopRules(Settled(1, 0.02)),
        clean_below=0.5,
        restarts=Restarts(tries=2, reach=1.0),
        stochastic=False,
        seed=5,
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "methods.x: needs the key 'relaxer', one of morered, mlff, aimnet2, so3lr, gfn2, gfn1, mmff94"),
        ({"relaxer": "morred"}, "methods.x.relaxer: 'morred' is not one of"),
        ({"relaxer": "morered"}, "methods.x: needs the key 'model' (or 'noise' and 'time')"),
        ({"relaxer": "morered", "model": "m", "time": "t"}, "methods.x.time: give 'model' or 'noise' and 'time', not both"),
        ({"relaxer": "morered", "model": {"nose": "n"}}, "methods.x.model.nose: unknown key; known: noise, time"),
        ({"relaxer": "morered", "model": {"time": "t"}}, "methods.x.model: needs the key 'noise'"),
        (
            {"relaxer": "morered", "noise": "n"},
            "methods.x.time: a model that predicts times is needed by the schedule 'adaptive'",
        ),
        ({"relaxer": "morered", "model": "m", "stpes": 3}, "methods.x.stpes: unknown key (did you mean 'steps'?)"),
        ({"relaxer": "morered", "model": "m", "steps": 0}, "methods.x.steps: 0 is impossible: it must be at least 1"),
        ({"relaxer": "morered", "model": "m", "steps": "many"}, "methods.x.steps: 'many' is not a whole number"),
        ({"relaxer": "morered", "model": "m", "steps": True}, "methods.x.steps: True is not a whole number"),
        ({"relaxer": "morered", "model": "m", "stochastic": 1}, "methods.x.stochastic: 1 is not true or false"),
        (
            {"relaxer": "morered", "model": "m", "move": "leap"},
            "methods.x.move: 'leap' is not one of reverse, jump, ddim, accelerated",
        ),
        (
            {"relaxer": "morered", "model": "m", "damping": 1.5},
            "methods.x.damping: 1.5 is impossible: it must be at most 1",
        ),
        ({"relaxer": "morered", "model": "m", "shrink": 1}, "methods.x.shrink: 1 is impossible: it must be less than 1"),
        ({"relaxer": "morered", "model": "m", "start_step": 3}, "methods.x.start_step: goes with schedule fixed only"),
        (
            {"relaxer": "morered", "model": "m", "stop": {"setled": {}}},
            "methods.x.stop.setled: unknown key (did you mean 'settled'?)",
        ),
        ({"relaxer": "morered", "model": "m", "stop": 3}, "methods.x.stop: 3 is not a mapping of settled"),
        (
            {"relaxer": "morered", "model": "m", "stop": {"settled": {"threshold": -1}}},
            "methods.x.stop.settled.threshold: -1 is impossible: it must be more than 0",
        ),
        (
            {"relaxer": "morered", "model": "m", "mixing": {"warmup": 0}, "move": "accelerated"},
            "methods.x.mixing.warmup: 0 is impossible: it must be at least 1",
        ),
        (
            {"relaxer": "morered", "model": "m", "move": "accelerated", "schedule": "initial"},
            "methods.x.move: accelerated moves need",
        ),
        (
            {"relaxer": "morered", "model": "m", "move": "accelerated", "overrelaxation": {"lengths": [0.3, 0.0]}},
            "methods.x.overrelaxation.lengths: each is above 0",
        ),
        (
            {"relaxer": "morered", "model": "m", "move": "jump", "overrelaxation": {}},
            "methods.x.overrelaxation: it goes with the move accelerated, not with jump",
        ),
        ({"relaxer": "mlff"}, "methods.x.model: the weights of the force field"),
        (
            {"relaxer": "mlff", "model": "f", "fmax": "1e-4"},
            "methods.x.fmax: '1e-4' is not a number (YAML reads 1e-4 as text: write 1.0e-4)",
        ),
        ({"relaxer": "so3lr", "model": "f"}, "methods.x.model: the weights of the force field"),
        ({"relaxer": "so3lr", "potential": "gfn2"}, "methods.x.potential: unknown key"),
        ({"relaxer": "gfn2", "variant": "tight"}, "methods.x.variant: unknown key; known: relaxer, timeout, fmax, steps"),
        ({"relaxer": "gfn2", "steps": 1.5}, "methods.x.steps: 1.5 is not a whole number"),
        ({"relaxer": "gfn1", "accuracy": 0.0}, "methods.x.accuracy: 0.0 is impossible: it must be more than 0"),
        ({"relaxer": "mmff94", "timeout": 0}, "methods.x.timeout: 0 is impossible: it must be more than 0"),
        ({"relaxer": "mmff94", "variant": "loose"}, "methods.x.variant: 'loose' is not one of paper, tight, rdkit"),
    ],
)
def test_mistakes_are_named_with_their_path(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        from_config(config, "methods.x")
