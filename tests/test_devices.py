"""Devices that are there, and what is said of the others."""

import pytest
import torch
from ase.build import molecule

import morered
from morered import devices


def test_the_processor_is_always_there():
    assert devices.choose("cpu") == torch.device("cpu")
    assert devices.choose("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("device", ["mps", "meta", "xpu", "tpu", "cuda:-1", ""])
def test_another_device_is_refused_with_what_there_is(device):
    with pytest.raises(ValueError, match=f"no device '{device}': give auto, cpu, cuda or cuda:N"):
        devices.choose(device)


def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"no device 'cuda:99': PyTorch finds .* here; give auto or cpu"):
        devices.choose("cuda:99")


def test_the_library_refuses_it_as_the_command_does():
    with pytest.raises(ValueError, match="no device 'mps'"):
        morered.relax(molecule("CH3OH"), device="mps")
