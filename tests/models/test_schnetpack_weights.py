"""Models put together from SchNetPack's own modules against what we read from the files they are saved to."""

import os

import pytest
import torch
from models_support import random_molecules, times
from schnetpack import properties
from schnetpack_models import published

from morered.batching import pad
from morered.cli import main
from morered.models import pickled, schnetpack_weights, weights
from morered.models.networks import Potential
from morered.models.schnetpack_engine import edges, spread

KINDS = ["morered-jt", "noise", "time", "mlff"]


def saved(model, form, path):
    """A model as a state dict, as a checkpoint of Lightning, or whole."""
    prefixed = {f"model.{name}": value for name, value in model.state_dict().items()}
    checkpoint = {"state_dict": prefixed, "hyper_parameters": {"model": model}, "epoch": 3}
    torch.save({"state": model.state_dict(), "lightning": checkpoint, "whole": model}[form], path)
    return path


def answers(model, batch):
    """What SchNetPack's model predicts, padded as ours: by name."""
    atoms = batch.mask.nonzero()[:, 0]
    inputs = edges(batch.numbers, batch.positions, batch.mask, 5.0)
    inputs |= {properties.idx_m: atoms, properties.n_atoms: batch.mask.sum(1), "t": times(batch).float()[atoms]}
    with torch.no_grad():
        found = model(inputs)
    per_atom = {"eps_pred": "noise", "t_pred": "time_atoms"}
    named = {ours: spread(found[theirs], batch.mask) for theirs, ours in per_atom.items() if theirs in found}
    return named | ({"energy": found["energy"]} if "energy" in found else {})


@pytest.mark.parametrize("form", ["state", "lightning", "whole"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_converted_model_predicts_what_it_did(kind, form, tmp_path):
    model = published(kind)
    out = tmp_path / "converted.safetensors"
    config = schnetpack_weights.convert(saved(model, form, tmp_path / "m.pt"), out, elements=(8, 1, 6, 7), dataset="qm9")
    loaded = weights.load(out)
    assert loaded.config == config
    assert (config.kind, config.features, config.cutoff) == (kind, 16, 5.0)
    assert (config.noise_layers, config.energy_layers) == (4 if kind == "noise" else 3, 2 if kind == "mlff" else 3)
    assert (loaded.header.elements, loaded.header.dataset) == ((1, 6, 7, 8), "qm9")
    batch = pad(random_molecules((4, 11, 1, 9), seed=2), dtype=torch.float32)
    expected = answers(model, batch)
    network, inputs = loaded.network, (batch.numbers, batch.positions, batch.mask)
    with torch.no_grad():
        given = times(batch).float() if kind == "noise" else None
        output = network(*inputs) if isinstance(network, Potential) else network(*inputs, given)
    assert expected
    for name, value in expected.items():
        scale = value.abs().max()
        assert scale > 1e-4
        # 1e-5 of the largest value: a hundred roundings of float32, as between the engines
        assert (getattr(output, name).float() - value).abs().max() / scale < 1e-5, name


def test_the_time_head_inside_the_noise_head_is_the_one_in_use():
    """It writes its prediction over that of the other head, which training therefore never changed."""
    model = published("morered-jt")
    network = schnetpack_weights.from_state(model.state_dict())
    inside, outside = model.output_modules[1].time_outnet, model.output_modules[0]
    ours = network.time_head.outnet[0].weight
    assert torch.equal(ours, inside.time_outnet.outnet[0].weight)
    assert not torch.equal(ours, outside.time_outnet.outnet[0].weight)


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return self.command


@pytest.fixture(params=["whole", "state"])
def evil(request, tmp_path):
    """Writes a model with something beside it that makes ``ran`` when it is unpickled."""

    def write(call, argument):
        model = published("time")
        model.extra = Evil((call, (argument,)))
        content = model if request.param == "whole" else {"state_dict": model.state_dict(), "extra": model.extra}
        torch.save(content, tmp_path / "evil.pt")
        return tmp_path / "evil.pt"

    return write


def test_nothing_in_a_file_is_run(evil, tmp_path):
    path = evil(exec, f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert "representation.embedding.weight" in pickled.tensors(path)
    assert not (tmp_path / "ran").exists()


def test_a_file_that_calls_the_system_is_refused(evil, tmp_path):
    path = evil(os.system, f"touch {tmp_path / 'ran'}")
    with pytest.raises(pickled.UnreadableError, match=r"evil.pt names posix.system"):
        pickled.tensors(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("representation.embedding.weight"), "has one representation.embedding.weight; here are 0"),
        (
            lambda s: s.pop("representation.filter_net.weight"),
            "SchNetPack's PaiNN: it lacks 'representation.filter_net.weight'",
        ),
        (lambda s: s.pop("representation.mixing.2.mu_channel_mix.weight"), "there is no representation.mixing.2.mu_channel_mix"),
        (lambda s: s.update({"representation.charge.weight": torch.ones(3)}), "charge.weight has no place in this network"),
        (lambda s: s.update({"representation.filter_net.weight": torch.ones(48, 20)}), "shared ones are not read"),
        (lambda s: s["representation.radial_basis.offsets"].add_(1), "do not stand at equal distances"),
        (lambda s: [s.pop(name) for name in list(s) if "output_modules" in name], "output modules (none) are no heads"),
        (lambda s: s.update({"representation.embedding.weight": torch.ones(101, 16)}), "101 rows, not 100"),
    ],
)
def test_another_architecture_is_refused_with_what_differs(change, message, tmp_path):
    state = dict(published("noise").state_dict())
    change(state)
    torch.save(state, tmp_path / "m.pt")
    with pytest.raises(weights.WeightsError) as caught:
        schnetpack_weights.convert(tmp_path / "m.pt", tmp_path / "out.safetensors", elements=(1, 6))
    assert message in str(caught.value)
    assert str(tmp_path / "m.pt") in str(caught.value)
    assert not (tmp_path / "out.safetensors").exists()


def test_what_holds_no_tensors_is_refused(tmp_path):
    (tmp_path / "text.pt").write_text("CCO")
    torch.save({"a": 1}, tmp_path / "numbers.pt")
    for name in ("text", "numbers"):
        with pytest.raises(pickled.UnreadableError, match=f"{name}.pt: "):
            pickled.tensors(tmp_path / f"{name}.pt")


def test_the_command_converts_and_says_what_is_wrong(tmp_path, capsys):
    source, out = saved(published("morered-jt"), "whole", tmp_path / "jt.pt"), tmp_path / "jt.safetensors"
    assert main(["convert", str(source), "-o", str(out), "--elements", "H", "C", "--sizes", "4", "23"]) == 0
    printed = capsys.readouterr().out
    assert "morered-jt" in printed
    assert "4 to 23 atoms" in printed
    assert "jt.pt" in printed
    assert main(["convert", str(source), "-o", str(out), "--elements", "Xy"]) == 2
    assert main(["convert", str(source), "-o", str(tmp_path / "jt.pt2"), "--elements", "H"]) == 2
    assert main(["convert", str(tmp_path / "none.pt"), "-o", str(out), "--elements", "H"]) == 1
    assert "none.pt" in capsys.readouterr().err
