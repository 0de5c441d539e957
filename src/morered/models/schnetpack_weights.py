"""Weights of SchNetPack models as weights files: what the paper's authors published becomes what `morered` runs.

Their models are SchNetPack's ``NeuralNetworkPotential``: PaiNN and output modules. The parameters of PaiNN have the same names
here; the output modules become heads:

    outnet.J.mix_vectors, outnet.J.scalar_net    gated equivariant blocks: the noise head
    time_outnet.outnet.J                         a time of each atom: the time head
    outnet.J                                     an energy of each atom: the force field's head
    time_outnet.time_outnet.outnet.J             a time head inside a noise head: see below
    atomref, mean of a postprocessor             energies of the free atoms

In the authors' joint model the noise head holds a time head of its own. It is evaluated after the other one, and its prediction
replaces the other's. So it alone is trained and used, and it is the one that is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from morered.models import pickled, weights
from morered.models.networks import DiffusionNetwork, Potential, build
from morered.models.painn import N_ELEMENTS
from morered.settings.networks import ModelConfig
from morered.settings.reading import read

#: Where a head's parameters stand in a model without its prefix -> what they are called here; in the order of preference.
_HEADS = {
    "noise": [(r"output_modules\.\d+\.outnet\.(\d+\.(?:mix_vectors|scalar_net)\..+)", "noise_head.{}")],
    "time": [
        (r"output_modules\.\d+\.time_outnet\.time_outnet\.outnet\.(\d+\.(?:weight|bias))", "time_head.outnet.{}"),
        (r"output_modules\.\d+\.time_outnet\.outnet\.(\d+\.(?:weight|bias))", "time_head.outnet.{}"),
    ],
    "energy": [(r"output_modules\.\d+\.outnet\.(\d+\.(?:weight|bias))", "energy_head.outnet.{}")],
}
_KINDS = {("noise", "time"): "morered-jt", ("noise",): "noise", ("time",): "time", ("energy",): "mlff"}
_ANCHOR = "representation.embedding.weight"


def convert(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    elements: Sequence[int],
    dataset: str = "",
    sizes: tuple[int, int] = (0, 0),
) -> ModelConfig:
    """Write the weights file of a model that SchNetPack saved; nothing that is pickled in it is run.

    Parameters
    ----------
    source
        A state dict, a Lightning checkpoint or a whole module, as torch.save wrote it.
    out
        Weights file to write.
    elements
        Atomic numbers that the model was trained on: the file does not say.
    dataset, sizes
        For the header: what it was trained on, and the fewest and most atoms of a molecule there. The split is not stated, so
        that nothing can refuse a molecule the model was trained on.

    Returns
    -------
    ModelConfig
        What the network is.

    Raises
    ------
    morered.models.weights.WeightsError
        If the file cannot be read, or holds another architecture; the message says what.
    OSError
        If the file cannot be opened.
    """
    try:
        state = pickled.tensors(source)
        network = from_state(state)
    except ValueError as error:
        text = str(error)
        raise weights.WeightsError(text if text.startswith(os.fspath(source)) else f"{source}: {text}") from error
    origin = {"converted_from": Path(source).name}
    header = weights.WeightsHeader(dataset, "", tuple(sorted(set(elements))), sizes, origin)
    weights.save(out, network, header)
    return network.config


def from_state(state: Mapping[str, Tensor]) -> DiffusionNetwork | Potential:
    """A network from the state dict of a SchNetPack model with PaiNN, in the precision of its parameters.

    Raises
    ------
    ValueError
        If the state dict is that of another architecture.
    """
    anchors = [name for name in state if name.endswith(_ANCHOR)]
    if len(anchors) != 1:
        raise ValueError(f"a SchNetPack model has one {_ANCHOR}; here are {len(anchors)} among {len(state)} tensors")
    prefix = anchors[0].removesuffix(_ANCHOR)
    state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    heads = {part: named for part, choices in _HEADS.items() if (named := _head(state, choices))}
    kind = _KINDS.get(tuple(heads))
    if kind is None:
        modules = sorted({".".join(name.split(".")[:2]) for name in state if name.startswith("output_modules")})
        raise ValueError(f"the output modules ({', '.join(modules) or 'none'}) are no heads of noise, time or energy")
    representation = {name: value for name, value in state.items() if name.startswith("representation.")}
    layers = {f"{part}_layers": _layers(head) for part, head in heads.items()}
    config = read(ModelConfig, {"kind": kind, **_sizes(representation), **layers})
    network = build(config).to(state[_ANCHOR].dtype)
    named = representation | {name: value for head in heads.values() for name, value in head.items()}
    if isinstance(network, Potential):
        named["references"] = _references(state)
    _fill(network, named)
    return network.eval()


def _head(state: Mapping[str, Tensor], choices: Sequence[tuple[str, str]]) -> dict[str, Tensor]:
    """The parameters of a head, by the first of the patterns that occurs."""
    for pattern, name in choices:
        matched = [(re.fullmatch(pattern, key), value) for key, value in state.items()]
        named = [(name.format(match[1]), value) for match, value in matched if match]
        if len({key for key, _ in named}) < len(named):
            raise ValueError(f"there are several output modules of one kind: {named[0][0].split('.')[0]}")
        if named:
            return dict(named)
    return {}


def _layers(head: Mapping[str, Tensor]) -> int:
    """Layers of a head: its parameters are ``PREFIX.LAYER.REST``."""
    return 1 + max(int(re.findall(r"\.(\d+)\.", name)[0]) for name in head)


def _sizes(representation: Mapping[str, Tensor]) -> dict[str, Any]:
    """Sizes of PaiNN by the shapes of its parameters."""
    try:
        offsets = representation["representation.radial_basis.offsets"]
        cutoff = float(representation["representation.cutoff_fn.cutoff"])
        rows, features = representation[_ANCHOR].shape
        filters = len(representation["representation.filter_net.weight"])
    except KeyError as error:
        raise ValueError(f"the representation is not SchNetPack's PaiNN: it lacks {error}") from error
    blocks = {name.split(".")[2] for name in representation if name.startswith("representation.interactions.")}
    if rows != N_ELEMENTS:
        raise ValueError(f"the embedding has {rows} rows, not {N_ELEMENTS}")
    if filters != 3 * features * len(blocks):
        raise ValueError(
            f"the filters of {len(blocks)} interactions of {features} features have {filters} rows: shared ones are not read"
        )
    if not torch.allclose(offsets, torch.linspace(0, cutoff, len(offsets), dtype=offsets.dtype), atol=1e-5):
        raise ValueError(f"the Gaussians do not stand at equal distances from 0 to the cutoff of {cutoff:g} Å")
    return {"features": features, "interactions": len(blocks), "radial_basis": len(offsets), "cutoff": cutoff}


def _references(state: Mapping[str, Tensor]) -> Tensor:
    """Energies of the free atoms, float64 [100] in the energies' unit, and the mean per atom where one was taken off."""
    references = torch.zeros(N_ELEMENTS, dtype=torch.float64)
    found = [name for name in state if name.startswith("postprocessors.") and name.endswith(".atomref")]
    if len(found) > 1:
        raise ValueError(f"several postprocessors add energies of atoms: {', '.join(found)}")
    for name in found:
        values = state[name].double().flatten()[:N_ELEMENTS]
        references[: len(values)] = values
        references[1:] += float(state.get(name.replace("atomref", "mean"), torch.zeros(1)))
    return references


def _fill(network: DiffusionNetwork | Potential, state: Mapping[str, Tensor]) -> None:
    """Load a state dict, every tensor of which must have its place.

    Raises
    ------
    ValueError
        If one is missing, too many or of another shape.
    """
    own = network.state_dict()
    if missing := sorted(set(own) - set(state)):
        raise ValueError(f"there is no {missing[0]} ({len(missing)} tensors are missing)")
    if further := sorted(set(state) - set(own)):
        raise ValueError(f"{further[0]} has no place in this network ({len(further)} tensors are too many)")
    for name, value in state.items():
        if value.shape != own[name].shape:
            raise ValueError(f"{name} has the shape {list(value.shape)}, not {list(own[name].shape)}")
    network.load_state_dict(dict(state))
