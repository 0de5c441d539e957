"""Whatever a config holds, it is read or refused in sentences: no traceback of the reader's own."""

import copy

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from morered.study import ConfigError, Study

ODD = [None, 3, -1, True, "x", "", [], {}, [1], {"a": 1}, [{}], 1e400, "1e-4", {"kind": ["a"]}, {"relaxer": 3}, {"preset": [1]}]


def places(value, path=()):
    """Paths of all that a config holds."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(value[key], (*path, key))


def problems_of(config):
    """What is wrong with a config."""
    try:
        Study(config)
    except ConfigError as refused:
        return refused.problems
    return []


@pytest.fixture(scope="module")
def config(repository):
    config = yaml.safe_load((repository / "config/tiny.yaml").read_text(encoding="utf-8"))
    config["methods"]["fast"] = {"preset": "fast", "noise": "jt", "time": "jt"}
    config["models"]["jt"] = {**config["models"]["jt"], "training": {"noise": {"kind": "elastic", "share": 0.2}}}
    config["ablations"] = {"x": {"methods": ["MoreRed-JT"], "entries": {"a": {"models": {"jt": {"features": 16}}}}}}
    return {**config, "libraries": {"mine": {"file": "x.smi"}}}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_an_odd_value_anywhere_is_read_or_refused(config, data):
    changed = copy.deepcopy(config)
    *above, key = data.draw(st.sampled_from(list(places(changed))))
    place = changed
    for step in above:
        place = place[step]
    place[key] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
    assert all(": " in problem for problem in problems_of(changed))
