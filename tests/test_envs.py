"""The conda file and the container recipe install what the lock says."""

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml


@pytest.fixture
def write_envs(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_envs", repository / "scripts/write_envs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_conda_file_is_the_lock_s(repository: Path, write_envs: ModuleType) -> None:
    text = (repository / "envs/morered.yaml").read_text(encoding="utf-8")
    assert text == write_envs.environment()
    python, _, packages = yaml.safe_load(text)["dependencies"]
    versions = dict(package.split("==") for package in packages["pip"])
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert versions.keys() >= {"torch", "tblite", "pyscf", "openbabel-wheel", "snakemake", "seaborn"}
    assert versions.keys().isdisjoint({"morered", "pytest", "pymbd"})
    assert (repository / "envs/morered.post-deploy.sh").is_file()  # Snakemake finds it by this name
    lock = (repository / "requirements.lock").read_text(encoding="utf-8")
    for name, version in versions.items():
        assert re.search(rf"^{re.escape(name)}=={re.escape(version)}[ ;\\]", lock, re.MULTILINE | re.IGNORECASE), name
    assert python.replace("python =", ">=") == project["requires-python"]


def test_another_lock_makes_another_conda_file(write_envs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = write_envs.locked()
    monkeypatch.setattr(write_envs, "locked", lambda: {**versions, "ase": "0.0.1"})
    assert "ase==0.0.1\n" in write_envs.environment()


def test_the_container_installs_the_lock_as_the_setup_does(repository: Path) -> None:
    recipe = (repository / "envs/Containerfile").read_text(encoding="utf-8")
    setup = (repository / "scripts/setup.sh").read_text(encoding="utf-8")
    for option in (
        "--no-deps",
        "--require-hashes",
        "--requirement requirements.lock",
        "--require-build-hashes",
        "--build-constraints envs/build-constraints.txt",
        "--requirement envs/uv.txt",
    ):
        assert option in recipe, option
        assert option in setup, option
    assert not re.search(r"==\d", recipe)  # no version beside the lock's
    conda = yaml.safe_load((repository / "envs/morered.yaml").read_text(encoding="utf-8"))
    assert f"FROM python:{conda['dependencies'][0].partition('=')[2]}-slim" in recipe
    for name in ("uv", "build-constraints"):
        pins = (repository / f"envs/{name}.txt").read_text(encoding="utf-8")
        assert len(re.findall(r"^\S+==\S+ ", pins, re.MULTILINE)) <= pins.count("--hash=sha256:")
    copied = {word for line in recipe.splitlines() if line.startswith("COPY") for word in line.split()[1:-1]}
    assert {path for path in copied if not (repository / path).exists()} == set()
