"""The plain steps in parts: what takes little memory gives the same."""

import pytest
import torch
from models_support import network, predict, random_molecules

from morered.batching import pad
from morered.models import torch_ops


@pytest.mark.parametrize("together", [1, 5000])
@pytest.mark.parametrize("kind", ["morered-jt", "time"])
def test_filters_made_in_parts_give_the_same(kind, together, monkeypatch):
    """One receiving atom at a time, and a few; 16 features have 48 filters."""
    model, batch = network(kind), pad(random_molecules((4, 11, 9)))
    monkeypatch.setattr(torch_ops, "_NUMBERS_TOGETHER", 10**9)
    whole = predict(model, batch)
    monkeypatch.setattr(torch_ops, "_NUMBERS_TOGETHER", together)
    sizes = []
    received = torch_ops._received
    monkeypatch.setattr(torch_ops, "_received", lambda *given: (sizes.append(given[3].radial.shape[1]), received(*given))[1])
    parts = predict(model, batch)
    n_atoms = batch.mask.shape[1]
    assert max(sizes) == max(1, together // (3 * n_atoms * 48))
    assert sum(sizes) == n_atoms * len(model.representation.blocks())
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-12, atol=1e-12)


def test_with_gradients_everything_is_made_at_once(monkeypatch):
    """Autograd keeps it all in any case."""
    monkeypatch.setattr(torch_ops, "_NUMBERS_TOGETHER", 1)
    assert torch_ops._rows_together(torch.Size((2, 9)), 48) is None
    with torch.no_grad():
        assert torch_ops._rows_together(torch.Size((2, 9)), 48) == 1
        assert torch_ops._rows_together(torch.Size((0, 9)), 48) is None
