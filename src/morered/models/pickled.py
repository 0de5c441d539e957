"""Tensors of a file that PyTorch pickled, without running anything that is in it.

``torch.load(weights_only=True)`` builds tensors and plain containers alone. SchNetPack and the authors pickle whole modules. Each
class and function that such a file names is replaced by one that holds attributes and does nothing. So the packages that the
module came from are not needed, and nothing in the file is called.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

#: Python's modules for calling the system, which PyTorch refuses as well.
_SYSTEM = ("os", "posix", "nt", "sys", "subprocess")


class UnreadableError(ValueError):
    """A file is no pickle of PyTorch, or there are no tensors in it; the message says which and why."""


class _Inert:
    """What stands for an object of the file: its attributes, and no behaviour."""

    def __new__(cls, *_: object, **__: object) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass


def tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Tensors by name, on the CPU: of a state dict, of a Lightning checkpoint, or of a whole module.

    Raises
    ------
    UnreadableError
        If the file is none of these.
    OSError
        If it cannot be opened.
    """
    path = os.fspath(path)
    try:
        named_in_it = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        if system := [name for name in named_in_it if name.partition(".")[0] in _SYSTEM]:
            raise UnreadableError(f"{path} names {system[0]}, which no network needs: the file is not to be trusted")
        inert: list[Any] = [(type("Inert", (_Inert,), {}), name) for name in named_in_it]
        with torch.serialization.safe_globals(inert):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # PyTorch's message advises to run what is in the file
        raise UnreadableError(f"{path}: it holds something that is neither a tensor, a container nor a plain object") from error
    except (RuntimeError, ValueError, TypeError, AttributeError, KeyError, EOFError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"{path}: no state dict, checkpoint or module that torch.save wrote ({error})") from error
    named = _state(content)
    if not named:
        raise UnreadableError(f"{path}: there are no tensors with names in it: a state dict or a module is needed")
    return named


def _state(content: Any) -> dict[str, Tensor]:
    if isinstance(content, _Inert):
        return dict(_of_module(content, ""))
    if isinstance(content, Mapping):
        inner = content.get("state_dict", content)
        if isinstance(inner, Mapping):
            return {name: value for name, value in inner.items() if isinstance(name, str) and isinstance(value, Tensor)}
    return {}


def _of_module(module: Any, prefix: str) -> list[tuple[str, Tensor]]:
    """Parameters and buffers of a module, those of its parts included, as `torch.nn.Module.state_dict` names them."""
    attributes = vars(module)
    own = [*_items(attributes, "_parameters"), *_items(attributes, "_buffers")]
    found = [(prefix + name, value.detach()) for name, value in own if isinstance(value, Tensor)]
    for name, part in _items(attributes, "_modules"):
        if isinstance(part, _Inert):
            found += _of_module(part, f"{prefix}{name}.")
    return found


def _items(attributes: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    values = attributes.get(name)
    return list(values.items()) if isinstance(values, Mapping) else []
