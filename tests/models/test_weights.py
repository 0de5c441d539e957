import json
import subprocess
import sys

import pytest
import torch
from models_support import network, predict, random_molecules, times
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from morered.batching import pad
from morered.models import shipped, weights
from morered.models.networks import Potential, build
from morered.settings.networks import ModelConfig

HEADER = weights.WeightsHeader(
    dataset="qm7", split="0123abcd", elements=(1, 6, 8), sizes=(4, 23), training={"epochs": 3, "lr": 1e-4}, metrics={"loss": 0.25}
)


@pytest.mark.parametrize("kind", ["morered-jt", "noise", "time", "mlff"])
def test_a_network_comes_back_as_it_was(kind, tmp_path, batch):
    model = network(kind).float()
    if isinstance(model, Potential):
        model.set_references({1: -13.641404161, 6: -1027.592489146})
    digest = weights.save(tmp_path / "model.safetensors", model, HEADER)
    loaded = weights.load(tmp_path / "model.safetensors")
    assert (loaded.config, loaded.header, loaded.digest) == (model.config, HEADER, digest)
    assert loaded.network.elements == {1, 6, 8}
    assert not loaded.network.training
    before, after = predict(model, batch), predict(loaded.network, batch)
    for name in before:
        assert torch.equal(before[name], after[name]), name


def test_weights_load_into_either_engine(tmp_path, batch):
    model = network("time").float()
    weights.save(tmp_path / "m.safetensors", model, HEADER)
    loaded = weights.load(tmp_path / "m.safetensors", engine="schnetpack")
    assert loaded.config.engine == "schnetpack"
    torch.testing.assert_close(predict(loaded.network, batch)["time"], predict(model, batch)["time"], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", ["morered-jt", "mlff"])
def test_a_file_of_version_1_loads_for_ever(kind, repository):
    """Files and expected values were written when version 1 was made; they are never to be made anew."""
    loaded = weights.load(repository / f"tests/data/model-v1-{kind}.safetensors")
    expected = json.loads((repository / f"tests/data/model-v1-{kind}.json").read_text())
    batch = pad(random_molecules((4, 6), seed=11), dtype=torch.float32)
    assert batch.numbers.tolist() == expected["numbers"]
    torch.testing.assert_close(batch.positions, torch.tensor(expected["positions"]))
    outputs = predict(loaded.network, batch)
    assert set(outputs) == set(expected["outputs"])
    for name, value in outputs.items():  # other machines round otherwise: 1e-5, as between the engines
        torch.testing.assert_close(value, torch.tensor(expected["outputs"][name], dtype=value.dtype), atol=1e-5, rtol=0)
    assert loaded.header.dataset == "made up"
    assert loaded.header.split == "0" * 64


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "m.safetensors"
    weights.save(path, build(ModelConfig(kind="time", features=8, interactions=1)), HEADER)
    return path


def rewritten(path, change) -> None:
    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata())
    tensors = load_file(path)
    change(metadata, tensors)
    save_file(tensors, path, metadata=metadata)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, t: t["time_head.outnet.0.bias"].add_(1e-7), "is damaged"),
        (lambda m, t: t.pop("time_head.outnet.0.bias"), "is damaged"),
        (lambda m, t: m.update(header=m["header"].replace("qm7", "qm9")), "is damaged"),
        (lambda m, t: m.update(config=m["config"].replace("5.0", "4.0")), "is damaged"),
        (lambda m, t: m.update(morered_version="2"), "layout version 2; this code reads 1: update"),
        (lambda m, t: m.pop("morered_version"), "not of morered"),
        (lambda m, t: m.pop("digest"), "lacks digest"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(stored, change, message):
    rewritten(stored, change)
    with pytest.raises(weights.WeightsError, match=message):
        weights.load(stored)


def test_a_config_of_a_later_version_is_refused_with_its_key(stored):
    def change(metadata, tensors):
        metadata["config"] = json.dumps({**json.loads(metadata["config"]), "attention": True})
        metadata["digest"] = weights._digest(metadata, tensors)

    rewritten(stored, change)
    with pytest.raises(weights.WeightsError, match="unknown key 'attention'"):
        weights.load(stored)


def forged(path, **changes) -> None:
    """Give a sound file another config or header, and the digest that goes with it."""

    def change(metadata, tensors):
        metadata |= {name: text if isinstance(text, str) else json.dumps(text) for name, text in changes.items()}
        metadata["digest"] = weights._digest(metadata, tensors)

    rewritten(path, change)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {"kind": "time", "features": 4096, "interactions": 1}}, "more than 16777216 numbers .* the file holds"),
        ({"config": {"kind": "time", "features": 8, "interactions": 60}}, "more than 3840 numbers|missing"),
        ({"config": {"kind": "time", "features": 200000, "interactions": 1}}, "features: 200000 is impossible"),
        ({"config": {"kind": "time", "features": 9, "interactions": 1}}, "the tensor .* its config makes it"),
        ({"config": {"kind": "noise", "features": 8, "interactions": 1}}, "the tensor '.*' is (missing|none of this network)"),
        ({"config": [1]}, "must be a mapping"),
        ({"config": "{"}, "Expecting"),
        ({"config": "[" * 100_000}, "recursion"),
        ({"header": {"elements": [500]}}, "header.elements must be whole numbers from 1 to 118"),
        ({"header": {"elements": 6}}, "header.elements must be"),
        ({"header": {"elements": ["C"]}}, "header.elements must be"),
        ({"header": {"sizes": [4]}}, "header.sizes must be the fewest and the most"),
        ({"header": {"sizes": None}}, "header.sizes must be"),
        ({"header": {"training": "long"}}, "header.training must be a mapping"),
        ({"header": {"dataset": {}}}, "header.dataset must be text"),
        ({"header": []}, "header must be a mapping"),
    ],
)
def test_what_a_header_claims_is_checked_before_it_is_obeyed(stored, changes, message):
    forged(stored, **changes)
    with pytest.raises(weights.WeightsError, match=message):
        weights.load(stored)


def test_weights_are_finite_numbers(stored):
    def change(metadata, tensors):
        tensors["time_head.outnet.0.bias"][0] = float("nan")
        metadata["digest"] = weights._digest(metadata, tensors)

    rewritten(stored, change)
    with pytest.raises(weights.WeightsError, match=r"'time_head.outnet.0.bias' holds numbers that are not finite"):
        weights.load(stored)


@pytest.mark.parametrize("representation", ["painn", "so3net"])
@pytest.mark.parametrize("kind", ["morered-jt", "noise", "time", "mlff"])
def test_the_bound_on_a_network_refuses_no_sound_one(kind, representation):
    config = ModelConfig(kind=kind, representation=representation, features=16, interactions=5, radial_basis=40)
    weights._refuse_small(config, build(config).state_dict())


def test_a_description_moves_no_cursor(stored):
    forged(stored, header={"dataset": "\x1b[2Jqm7\nnew line", "training": {"\x1b": 1}})
    text = weights.describe(stored)
    assert "\x1b" not in text
    assert r"\x1b[2Jqm7\nnew line" in text


def test_what_is_no_weights_file_is_refused(tmp_path, stored):
    (tmp_path / "text").write_text("CCO")
    with pytest.raises(weights.WeightsError, match="not a weights file"):
        weights.load(tmp_path / "text")
    stored.write_bytes(stored.read_bytes()[:-100])
    with pytest.raises(weights.WeightsError, match="incomplete"):
        weights.load(stored)
    with pytest.raises(weights.WeightsError, match="no weights 'nosuch': neither a file nor shipped"):
        weights.load("nosuch")


def test_shipped_weights_are_found_by_name(stored, monkeypatch):
    monkeypatch.setattr(shipped, "folder", lambda: stored.parent)
    assert shipped.names() == ["m"]
    assert weights.load("m").header == HEADER


def test_a_file_is_described_for_people(stored):
    text = weights.describe(stored)
    for part in (
        "time (diffusion time",
        "PaiNN, 8 features",
        "T = 1000",
        "H C O",
        "4 to 23 atoms",
        "qm7",
        "0123abcd",
        "epochs",
        "0.25",
    ):
        assert part in text, part


def test_loading_needs_neither_the_training_code_nor_schnetpack(stored):
    code = (
        f"import sys; from morered.models import weights; weights.load({str(stored)!r}); "
        "assert not {'lightning', 'schnetpack', 'morered.training'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_random_molecules_are_the_same_everywhere():
    """What the stored outputs belong to."""
    assert random_molecules((4, 6), seed=11).sizes.tolist() == [4, 6]
    assert times(pad(random_molecules((4,)))).shape == (1,)


def test_a_copy_is_the_same_file_and_of_the_kind_asked_for(tmp_path, repository):
    stored = repository / "tests/data/model-v1-morered-jt.safetensors"
    weights.copy(stored, tmp_path / "copy.safetensors", kind="morered-jt")
    assert (tmp_path / "copy.safetensors").read_bytes() == stored.read_bytes()
    with pytest.raises(weights.WeightsError, match="of kind morered-jt, not mlff"):
        weights.copy(stored, tmp_path / "other.safetensors", kind="mlff")
    assert not (tmp_path / "other.safetensors").exists()
