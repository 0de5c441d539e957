"""What is generated from the settings' classes is what lies in config/, and says something of every key."""

import json
import subprocess
import sys
from dataclasses import fields, is_dataclass

import pytest
import yaml
from jsonschema import Draft202012Validator

from morered.settings import documentation
from morered.settings.base import Settings, hints_of, options_of
from morered.settings.study import StudySettings


def test_the_files_are_up_to_date(repository):
    done = subprocess.run([sys.executable, "scripts/config_docs.py", "--check"], cwd=repository, check=False)
    assert done.returncode == 0, "run scripts/config_docs.py"


def test_the_schema_takes_every_shipped_config(repository):
    validator = Draft202012Validator(json.loads(documentation.json_schema()))
    configs = sorted((repository / "config").glob("*.yaml"))
    assert len(configs) >= 6
    for path in configs:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(config)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"methods": {"x": {"relaxer": "morered"}}},
        {"methods": {"x": {"noise": "jt"}}},
        {"models": {"a b": {"kind": "noise", "dataset": "qm7"}}},
        {"seed": -1},
        {"sead": 1},
        {"datasets": {"x": {"kind": "qm8"}}},
    ],
)
def test_the_schema_refuses_what_the_reader_does(change):
    validator = Draft202012Validator(json.loads(documentation.json_schema()))
    config = {"study": "mine", "datasets": {"qm7": {"kind": "qm7-pbe0"}}}
    assert not list(validator.iter_errors(config))
    assert list(validator.iter_errors({**config, **change}))


def settings_of(cls, seen):
    """All settings classes that are reached from one."""
    if cls not in seen:
        seen.add(cls)
        pending = list(hints_of(cls).values())
        while pending:
            for option in options_of(pending.pop()):
                if is_dataclass(option):
                    settings_of(option, seen)
                elif option is not type(None):
                    pending += [inner for inner in getattr(option, "__args__", ()) if inner is not Ellipsis]
    return seen


def test_every_key_is_described():
    classes = settings_of(StudySettings, set())
    assert len(classes) > 30
    assert all(issubclass(cls, Settings) for cls in classes)
    assert [f"{cls.__name__}.{f.name}" for cls in classes for f in fields(cls) if not f.metadata.get("description")] == []


def test_defaults_that_differ_by_kind_are_told():
    text = documentation.tables()
    assert "| `training.batch_size` | integer >= 1 | 128; mlff: 10 |" in text
    assert "| `training.noise.kind` | isotropic, elastic | isotropic |" in text
    assert "(elastic) |" in text
