"""Weights files: safetensors with the model's config and provenance as JSON in the header, and a digest over all of it.

No code is stored and none is run: a network is built from the config, then its tensors are filled in. The header holds

    morered_version   version of this layout, "1"; every version ever written stays readable
    config            JSON of `ModelConfig`
    header            JSON of `WeightsHeader`
    digest            SHA-256 over version, config, header, and each tensor's name, dtype, shape and bytes
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from ase.data import chemical_symbols
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from morered.escaping import printable
from morered.files import atomic_path
from morered.models import shipped
from morered.models.networks import DiffusionNetwork, Potential, build
from morered.settings.networks import Engine, ModelConfig

_LAYOUT = "1"
_KEYS = ("morered_version", "config", "header", "digest")


class WeightsError(ValueError):
    """A weights file cannot be used; the message says which, why and what to do."""


@dataclass(frozen=True)
class WeightsHeader:
    """What a weights file says about itself, beside the architecture.

    Attributes
    ----------
    dataset : str
        What it was trained on.
    split : str
        Digest of the split by molecular graph: evaluating the model on a graph of its own training split is refused.
    elements : tuple of int
        Atomic numbers in the training data, ascending.
    sizes : (int, int)
        Fewest and most atoms of a molecule in it.
    training : dict
        Summary of the run: epochs, steps, seconds, seed, settings, digests; JSON values. ``before`` has the trainings whose
        weights it began from, the first one first; ``trainings`` says of how many one of them is the sum.
    metrics : dict
        Validation metrics by name, the unit in the name or in a text.
    charges : tuple of int
        Total charges of the molecules in the training data, ascending; neutral ones alone where the file does not say.
    calibration : dict
        What distance and energy are expected to be left of a result (`morered.metrics.calibration.Calibration`); empty where
        nobody measured it.
    """

    dataset: str = ""
    split: str = ""
    elements: tuple[int, ...] = ()
    sizes: tuple[int, int] = (0, 0)
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    charges: tuple[int, ...] = (0,)
    calibration: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote; a key of a later version is left out.

        Raises
        ------
        ValueError
            If a value is not of the kind that it should be; the message names the key.
        """
        if not isinstance(values, Mapping):
            raise ValueError("the header must be a mapping")
        known = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        for name in ("dataset", "split"):
            if not isinstance(known.get(name, ""), str):
                raise ValueError(f"header.{name} must be text")
        for name in ("training", "metrics", "calibration"):
            if not isinstance(known.get(name, {}), dict):
                raise ValueError(f"header.{name} must be a mapping")
        for name, least, most in (("elements", 1, len(chemical_symbols) - 1), ("sizes", 0, 1 << 31), ("charges", -99, 99)):
            numbers = known.get(name, ())
            if not isinstance(numbers, (list, tuple)) or not all(type(n) is int and least <= n <= most for n in numbers):
                raise ValueError(f"header.{name} must be whole numbers from {least} to {most}")
        header = cls(**known)
        if len(header.sizes) != 2 or header.sizes[0] > header.sizes[1]:
            raise ValueError("header.sizes must be the fewest and the most atoms")
        return replace(
            header,
            elements=tuple(header.elements),
            sizes=(header.sizes[0], header.sizes[1]),
            charges=tuple(header.charges),
        )


class LoadedModel(NamedTuple):
    """A network with its weights, in evaluation mode, and what its file says."""

    network: DiffusionNetwork | Potential
    config: ModelConfig
    header: WeightsHeader
    digest: str


def save(path: str | os.PathLike[str], network: DiffusionNetwork | Potential, header: WeightsHeader) -> str:
    """Write a network.

    Parameters
    ----------
    path
        File to write, complete or not at all; ends in ``.safetensors``.
    network : DiffusionNetwork or Potential
        Its parameters and buffers are stored as they are.
    header : WeightsHeader
        What it was trained on.

    Returns
    -------
    str
        The digest of the content.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    metadata = {
        "morered_version": _LAYOUT,
        "config": json.dumps(network.config.to_dict(), sort_keys=True),
        "header": json.dumps(header.to_dict(), sort_keys=True),
    }
    metadata["digest"] = _digest(metadata, tensors)
    with atomic_path(path) as temporary:
        temporary.write_bytes(to_bytes(tensors, metadata=metadata))  # save_file makes a file that only its owner may read
    return metadata["digest"]


def load(path_or_name: str | os.PathLike[str], device: torch.device | str = "cpu", engine: Engine | None = None) -> LoadedModel:
    """Read a weights file, or weights that ship with the package by their name.

    Parameters
    ----------
    path_or_name
        A file, or one of `names`.
    device
        Where the network is put.
    engine : {"dense", "schnetpack"}, optional
        Other than that of the config: the same weights fit both.

    Raises
    ------
    WeightsError
        If there is no such file, it is not a weights file, it is damaged, or a newer version wrote it.
    """
    path = find(path_or_name)
    metadata, tensors = _read(path)
    try:
        config = ModelConfig.of_header(json.loads(metadata["config"]))
        header = WeightsHeader.from_dict(json.loads(metadata["header"]))
        if engine is not None:
            config = replace(config, engine=engine)
        _refuse_small(config, tensors)
        network = build(config)
        _refuse_others(network.state_dict(), tensors)
        network.load_state_dict(tensors)
    except (ValueError, TypeError, RuntimeError, RecursionError) as error:
        raise WeightsError(f"{path}: {error}") from error
    network.elements = frozenset(header.elements)
    return LoadedModel(network.to(device).eval(), config, header, metadata["digest"])


def with_calibration(path_or_name: str | os.PathLike[str], out: str | os.PathLike[str], calibration: Mapping[str, Any]) -> None:
    """Write a copy of a weights file that has this calibration in its header; parameters and errors as for `load`."""
    found = load(path_or_name)
    save(out, found.network, replace(found.header, calibration=dict(calibration)))


def copy(path_or_name: str | os.PathLike[str], out: str | os.PathLike[str], *, kind: str) -> None:
    """Copy a weights file whose model must be of this kind.

    Raises
    ------
    WeightsError
        As `load`, and if the model is of another kind.
    """
    found = load(path_or_name)
    if found.config.kind != kind:
        raise WeightsError(f"{find(path_or_name)}: a model of kind {found.config.kind}, not {kind}")
    with atomic_path(out) as temporary:
        temporary.write_bytes(find(path_or_name).read_bytes())


def find(path_or_name: str | os.PathLike[str]) -> Path:
    """The file meant by a path or by the name of shipped weights.

    Raises
    ------
    WeightsError
        If there is none; the message lists the names.
    """
    path = Path(path_or_name)
    if path.is_file():
        return path
    its_own = shipped.folder() / f"{path}{shipped.SUFFIX}"
    if path.name == str(path) and its_own.is_file():
        return its_own
    raise WeightsError(f"no weights {str(path)!r}: neither a file nor shipped; there are: {', '.join(shipped.names()) or 'none'}")


def describe(path_or_name: str | os.PathLike[str]) -> str:
    """What a weights file is, what it was trained on and for which elements, as text for people.

    Raises
    ------
    WeightsError
        As `load`.
    """
    lines = {"file": str(find(path_or_name)), **facts(path_or_name)}
    width = max(map(len, lines))
    return "\n".join(printable(f"{key:<{width}}  {value}") for key, value in lines.items())


def facts(path_or_name: str | os.PathLike[str]) -> dict[str, str]:
    """What the header of a weights file says, by what it is called there: the lines of `describe` and of a model card.

    Raises
    ------
    WeightsError
        As `load`.
    """
    _, config, header, digest = model = load(path_or_name)
    kinds = {
        "morered-jt": "MoreRed-JT: noise and time on one representation",
        "noise": "diffusion noise (DDPM; the noise half of MoreRed-AS and -ITP)",
        "time": "diffusion time (the time half of MoreRed-AS and -ITP)",
        "mlff": "force field: energy in eV, forces in eV/Å",
    }
    names_of = {"painn": "PaiNN", "so3net": f"SO3Net (l_max {config.l_max})"}
    heads = [
        f"{part} {getattr(config, f'{part}_layers')}"
        for part, there in (("noise", config.predicts_noise), ("time", config.predicts_time), ("energy", not config.is_diffusion))
        if there
    ]
    lines = {
        "kind": f"{config.kind} ({kinds[config.kind]})",
        "network": f"{names_of[config.representation]}, {config.features} features, {config.interactions} interactions, "
        f"{config.radial_basis} radial functions, cutoff {config.cutoff:g} Å; {model.network.n_parameters()} parameters",
        "layers of heads": ", ".join(heads),
    }
    if config.is_diffusion:
        lines["schedule"] = f"{config.diffusion.schedule}, T = {config.diffusion.T}, s = {config.diffusion.s:g}"
    lines["elements"] = " ".join(chemical_symbols[z] for z in header.elements) or "not stated"
    lines["sizes"] = f"{header.sizes[0]} to {header.sizes[1]} atoms" if any(header.sizes) else "not stated"
    lines["charges"] = " ".join(f"{charge:+d}" if charge else "0" for charge in header.charges)
    if header.calibration:
        lines["calibrated on"] = f"{header.calibration.get('results', '?')} results of validation molecules"
    lines["trained on"] = header.dataset or "not stated"
    lines["split"] = header.split or "not stated"
    lines |= {f"training: {key}": _plain(value) for key, value in header.training.items()}
    lines |= {f"metric: {key}": _plain(value) for key, value in header.metrics.items()}
    lines["digest"] = f"{digest} (checked)"
    return lines


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Header texts and tensors of a file, its digest checked."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            version = metadata.get("morered_version")
            if version is None:
                raise WeightsError(f"{path} is a safetensors file, but not of morered: its header lacks morered_version")
            if version != _LAYOUT:
                raise WeightsError(f"{path} has layout version {version}; this code reads {_LAYOUT}: update morered")
            missing = [key for key in _KEYS if key not in metadata]
            if missing:
                raise WeightsError(f"{path}: the header lacks {missing[0]}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise WeightsError(f"{path} is not a weights file, or is incomplete: {error}") from error
    if _digest(metadata, tensors) != metadata["digest"]:
        raise WeightsError(f"{path} is damaged: its content does not have the digest it states; copy or download it again")
    return metadata, tensors


def _refuse_small(config: ModelConfig, tensors: Mapping[str, Tensor]) -> None:
    """Refuse a config of a network much larger than the tensors, before memory is taken for it.

    Every interaction block has at least one layer from F to F features, and K radial functions lead to F features.
    """
    there = sum(tensor.numel() for tensor in tensors.values())
    least = max(config.features**2 * config.interactions, config.features * config.radial_basis)
    if there < least:
        raise ValueError(
            f"its config describes a network of more than {least} numbers ({config.features} features, {config.interactions} "
            f"interactions, {config.radial_basis} radial functions), and the file holds {there}: it is no file of this network"
        )


def _refuse_others(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are not those of the network: others, of another shape, no finite numbers."""
    if strange := sorted(tensors.keys() ^ wanted.keys()):
        name = strange[0]
        raise ValueError(f"the tensor {name!r} is {'missing' if name in wanted else 'none of this network'}")
    for name, tensor in tensors.items():
        shape = list(wanted[name].shape)
        if list(tensor.shape) != shape:
            raise ValueError(f"the tensor {name!r} is {list(tensor.shape)}; its config makes it {shape}")
        if tensor.is_floating_point() != wanted[name].is_floating_point():
            raise ValueError(f"the tensor {name!r} holds {tensor.dtype}, not {wanted[name].dtype}")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"the tensor {name!r} holds numbers that are not finite")


def _digest(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for key in _KEYS[:-1]:
        digest.update(f"{key}\0{metadata[key]}\0".encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)
