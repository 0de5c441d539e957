"""Relaxation methods as data: what a config or a user asks for, checked, before any model is loaded.

`from_config` reads the same keys that the study's config has under ``methods``.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from morered.calculators import check_installed
from morered.calculators.given import as_calculator, is_potential
from morered.relaxation.mixing import Mixing
from morered.relaxation.restarts import Restarts
from morered.relaxation.stopping import Settled, StopRules

Model = Any
"""A model: the name of shipped weights, the path of a weights file, or a `morered.models.weights.LoadedModel`."""


@dataclass(frozen=True)
class DiffusionMethod:
    """Relaxation by reverse diffusion (sections 2.2 to 2.4 of the paper); the defaults are MoreRed-JT, or -AS with two models.

    Attributes
    ----------
    noise, time
        Models that predict noise and time; the same one, of kind morered-jt, for both is MoreRed-JT. A fixed schedule needs no
        ``time``.
    schedule
        adaptive: the time is predicted before every step (AS, JT); initial: once, then it falls by one (ITP); fixed: it starts at
        ``start_step`` and falls by one (DDPM).
    start
        input: the structure given; noise: centred normal deviates in its place (generation), the composition alone being used.
    start_step
        Step (array index, 0..T-1) that a fixed schedule starts from; the last one if None.
    steps
        Cap on the steps.
    move
        reverse: Eq. 5; jump: to the predicted clean structure, or ``damping`` of the way; ddim: to a structure of ``shrink``
        times the step, without new noise (Song et al. 2021); accelerated: jumps with Anderson mixing.
    stochastic
        Whether a reverse step adds its noise; without it, it goes to the mean of Eq. 3.
    damping
        Share of the way that a jump goes.
    shrink
        Factor on the step from one DDIM move to the next; the time used never exceeds it, whatever is predicted.
    mixing
        Settings of the accelerated moves.
    stop
        When a molecule is done, besides the cap.
    clean_below
        A result whose last predicted time, 0 to 1, is not below this is no clean structure: the molecule has failed. None takes
        every result.
    restarts
        Doubtful results of jumps, plain or accelerated, are tried again; each try has the whole cap.
    seed
        Of the noise.

    Raises
    ------
    ValueError
        If settings are impossible or contradict each other.
    """

    kind: ClassVar[str] = "morered"
    noise: Model
    time: Model = None
    schedule: Literal["adaptive", "initial", "fixed"] = "adaptive"
    start: Literal["input", "noise"] = "input"
    start_step: int | None = None
    steps: int = 1000
    move: Literal["reverse", "jump", "ddim", "accelerated"] = "reverse"
    stochastic: bool = True
    damping: float = 1.0
    shrink: float = 0.5
    mixing: Mixing = field(default_factory=Mixing)
    stop: StopRules = field(default_factory=StopRules)
    clean_below: float | None = None
    restarts: Restarts | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _at_least(self, steps=1)
        if self.noise is None:
            raise ValueError("noise: a model that predicts noise is needed")
        if self.time is None and self.schedule != "fixed":
            raise ValueError(f"time: a model that predicts times is needed by the schedule {self.schedule!r}")
        if self.start_step is not None and self.schedule != "fixed":
            raise ValueError(f"start_step: goes with schedule fixed only, not with {self.schedule}")
        if self.start_step is not None and self.start_step < 0:
            raise ValueError(f"start_step must be at least 0, not {self.start_step}")
        if not 0 < self.damping <= 1:
            raise ValueError(f"damping must lie above 0 and be at most 1, not {self.damping}")
        if not 0 < self.shrink < 1:
            raise ValueError(f"shrink must lie between 0 and 1, not {self.shrink}")
        if self.move == "accelerated" and self.schedule != "adaptive":
            raise ValueError("move: accelerated moves need the schedule adaptive")
        if self.clean_below is not None:
            if not 0 < self.clean_below <= 1:
                raise ValueError(f"clean_below must lie above 0 and be at most 1, not {self.clean_below}")
            if self.schedule != "adaptive" or self.move == "ddim":
                raise ValueError("clean_below: it needs a time that is predicted at every step (schedule adaptive, not DDIM)")
        if self.restarts is not None and (self.move not in ("jump", "accelerated") or self.start == "noise"):
            raise ValueError("restarts: they go with the moves jump and accelerated, from the structure given")

    @property
    def is_joint(self) -> bool:
        """Whether one model predicts both noise and time."""
        return self.time is self.noise or (isinstance(self.noise, str) and self.noise == self.time)

    @property
    def brief(self) -> DiffusionMethod:
        """The method by which further starts are compared, see `Restarts.steps`."""
        assert self.restarts is not None
        return replace(self, steps=min(self.steps, self.restarts.steps), stop=StopRules(settled=Settled()))


@dataclass(frozen=True)
class PotentialMethod:
    """Relaxation on a potential energy surface that is evaluated in batches, by L-BFGS with the rules of ASE's.

    Attributes
    ----------
    potential
        mlff: the project's own force field; so3lr: the pretrained one; the name of another batched calculator; or a potential
        itself, see `morered.calculators.given`.
    model
        The force field's weights; mlff only.
    optimizer
        batched-lbfgs: this package's, all molecules at once; ase: ASE's, one after another.
    fmax
        eV/Å: done when no atom feels a larger force (5e-5 is the paper's 1.15e-3 kcal/mol/Å).
    steps
        Cap on the steps.
    maxstep
        Å: a step is shortened so that no atom moves further.
    memory, damping, alpha
        Differences kept; factor on each step; initial curvature in eV/Å².
    initial_hessian
        diagonal: ``alpha`` for every coordinate, as in ASE; valence: that of a valence force field, with which a molecule of
        forty atoms needs a fifth of the steps (batched-lbfgs only).
    precision
        Of the network: double where float32's noise in the forces, some 1e-5 eV/Å, matters.
    """

    potential: Any
    model: Model = None
    optimizer: Literal["batched-lbfgs", "ase"] = "batched-lbfgs"
    fmax: float = 5.0e-5
    steps: int = 1000
    maxstep: float = 0.2
    memory: int = 100
    damping: float = 1.0
    alpha: float = 70.0
    initial_hessian: Literal["diagonal", "valence"] = "diagonal"
    precision: Literal["single", "double"] = "single"

    def __post_init__(self) -> None:
        _at_least(self, steps=1, memory=1)
        _positive(self, "fmax", "maxstep", "damping", "alpha")
        if self.maxstep > 1.0:
            raise ValueError(f"maxstep must be at most 1 Å, not {self.maxstep}")
        if self.initial_hessian == "valence" and self.optimizer == "ase":
            raise ValueError("initial_hessian: valence goes with the optimizer batched-lbfgs")
        if not isinstance(self.potential, str):
            as_calculator(self.potential)  # refuses what is none
        if (isinstance(self.potential, str) and self.potential == "mlff") != (self.model is not None):
            raise ValueError("model: the weights of the force field; needed by mlff and by nothing else")

    @property
    def kind(self) -> str:
        """The relaxer's name in a config, or that of a potential."""
        return self.potential if isinstance(self.potential, str) else as_calculator(self.potential).name


#: Seconds for one molecule where a config says nothing.
TIMEOUT = 600.0


@dataclass(frozen=True)
class PhysicalMethod:
    """Relaxation by a program that takes one molecule at a time, see `morered.relaxation.physical`.

    Attributes
    ----------
    program
        gfn2, gfn1 (tblite, L-BFGS) or mmff94 (Open Babel, or RDKit as ``variant`` says).
    options
        Passed to the relaxer of one molecule, see `morered.relaxation.physical.settings`.
    timeout
        Seconds for one molecule, kept by worker processes; `math.inf` is no limit. None lets one worker do the work in this
        process, without a limit, and gives several workers `TIMEOUT`.
    """

    program: str
    options: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None

    def __post_init__(self) -> None:
        if self.timeout is not None and not self.timeout > 0:
            raise ValueError(f"timeout must be positive, not {self.timeout}")

    @property
    def kind(self) -> str:
        """The relaxer's name in a config."""
        return self.program


Method = DiffusionMethod | PotentialMethod | PhysicalMethod

#: What the programs' options may be, beyond their types.
_CHOICES = {"variant": ("paper", "tight", "rdkit")}
_POSITIVE = ("fmax", "steps", "accuracy", "max_iterations")

#: What holds for a potential that the user brings, where nothing else is said: single precision reaches these forces, and nearly
#: every molecule has bonds that the valence force field knows.
_BROUGHT = {"fmax": 1.0e-3, "initial_hessian": "valence"}

RELAXERS = ("morered", "mlff", "aimnet2", "so3lr", "gfn2", "gfn1", "mmff94")


def from_config(config: Mapping[str, Any], path: str = "method") -> Method:
    """Read a method from plain values.

    Parameters
    ----------
    config : mapping
        ``relaxer`` and its settings: those of `DiffusionMethod` for morered (where ``model`` may stand for both ``noise`` and
        ``time``, or be a mapping of the two), of `PotentialMethod` for mlff, aimnet2 and so3lr, of
        `morered.relaxation.physical.settings` for gfn1, gfn2, mmff94. The relaxer may be a potential itself
        (`morered.calculators.given`), with the settings of `PotentialMethod`.
    path : str
        What the messages put before a key.

    Raises
    ------
    ValueError
        With the path of the key, what is wrong there and what is allowed.
    morered.extras.MissingExtra
        If a package that the relaxer needs is not installed.
    """
    settings = dict(config)
    if "relaxer" not in settings:
        raise ValueError(f"{path}: needs the key 'relaxer', one of {', '.join(RELAXERS)}")
    relaxer = settings.pop("relaxer")
    if not isinstance(relaxer, str) and is_potential(relaxer):
        return _read_potential(relaxer, settings, path, {} if settings.get("optimizer") == "ase" else _BROUGHT)
    if relaxer not in RELAXERS:
        raise ValueError(f"{path}.relaxer: {relaxer!r} is not one of {', '.join(RELAXERS)}")
    check_installed(relaxer)
    if relaxer == "morered":
        return _read(DiffusionMethod, _split_model(settings, path), path)
    if relaxer in ("mlff", "aimnet2", "so3lr"):
        return _read_potential(relaxer, settings, path)
    return _read_physical(relaxer, settings, path)


# --------------------------------------------------------------------- reading dataclasses from mappings


def _split_model(settings: dict[str, Any], path: str) -> dict[str, Any]:
    """``model`` as ``noise`` and ``time``."""
    if "model" not in settings:
        if "noise" not in settings:
            raise ValueError(f"{path}: needs the key 'model' (or 'noise' and 'time')")
        return settings
    if clash := [key for key in ("noise", "time") if key in settings]:
        raise ValueError(f"{path}.{clash[0]}: give 'model' or 'noise' and 'time', not both")
    model = settings.pop("model")
    if not isinstance(model, Mapping):
        return {**settings, "noise": model, "time": model}
    for key in model:
        if key not in ("noise", "time"):
            raise ValueError(f"{path}.model.{key}: unknown key; known: noise, time")
    if "noise" not in model:
        raise ValueError(f"{path}.model: needs the key 'noise'")
    return {**settings, **model}


def _read_potential(
    potential: Any, settings: dict[str, Any], path: str, defaults: Mapping[str, Any] | None = None
) -> PotentialMethod:
    if "potential" in settings:
        raise ValueError(f"{path}.potential: unknown key; the relaxer says it")
    return _read(PotentialMethod, {**(defaults or {}), "potential": potential, **settings}, path, hidden=("potential",))


def _read_physical(relaxer: str, settings: dict[str, Any], path: str) -> PhysicalMethod:
    from morered.relaxation.physical import settings as known_settings  # imports the programs' code, which few need

    known = known_settings(relaxer)
    timeout = settings.pop("timeout", TIMEOUT)
    for key, value in settings.items():
        if key not in known:
            raise ValueError(f"{path}.{key}: unknown key{_nearest(key, (*known, 'timeout'))}")
        check_type(value, type(known[key]), f"{path}.{key}")
        if key in _CHOICES and value not in _CHOICES[key]:
            raise ValueError(f"{path}.{key}: {value!r} is not one of {', '.join(_CHOICES[key])}")
        if key in _POSITIVE and not value > 0:
            raise ValueError(f"{path}.{key}: must be positive, not {value}")
    if relaxer == "mmff94" and (settings.get("variant") or known["variant"]) != "rdkit" and find_spec("openbabel") is None:
        raise ValueError(
            f"{path}.variant: Open Babel is not installed: python -m pip install 'morered[mmff]' brings it, and variant rdkit "
            "(mmff94 by name) does without"
        )
    if timeout is None:
        timeout = math.inf
    check_type(timeout, float, f"{path}.timeout")
    return _checked(PhysicalMethod, {"program": relaxer, "options": known | settings, "timeout": timeout}, path)


def _read(cls: type, settings: Mapping[str, Any], path: str, hidden: tuple[str, ...] = ()) -> Any:
    hints = get_type_hints(cls)
    known = {f.name: hints[f.name] for f in dataclasses.fields(cls)}
    values = {}
    for key, value in settings.items():
        if key not in known:
            raise ValueError(f"{path}.{key}: unknown key{_nearest(key, tuple(name for name in known if name not in hidden))}")
        values[key] = _value(value, known[key], f"{path}.{key}")
    return _checked(cls, values, path)


def _checked(cls: type, values: Mapping[str, Any], path: str) -> Any:
    """An instance, its own complaints with the path before them."""
    try:
        return cls(**values)
    except ValueError as error:
        name, _, rest = str(error).partition(": ")
        known = [f.name for f in dataclasses.fields(cls)]
        if rest and name in known:
            raise ValueError(f"{path}.{name}: {rest}") from None
        first = str(error).split(" ", 1)[0]
        raise ValueError(f"{path}.{first}: {error}" if first in known else f"{path}: {error}") from None


def _value(value: Any, hint: Any, path: str) -> Any:
    """``value`` as what the type hint asks for."""
    if hint is Any:
        return value
    options = get_args(hint) if get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    (wanted,) = [option for option in options if option is not type(None)]
    if get_origin(wanted) is Literal:
        if value not in get_args(wanted):
            raise ValueError(f"{path}: {value!r} is not one of {', '.join(map(str, get_args(wanted)))}")
        return value
    if dataclasses.is_dataclass(wanted):
        if isinstance(value, wanted):  # type: ignore[arg-type]
            return value
        if not isinstance(value, Mapping):
            raise ValueError(f"{path}: {value!r} is not a mapping of {', '.join(f.name for f in dataclasses.fields(wanted))}")
        return _read(wanted, value, path)  # type: ignore[arg-type]
    check_type(value, wanted, path)
    return wanted(value)


def check_type(value: Any, wanted: type, path: str) -> None:
    """Refuse a value that is not of this type: bool is no number, a whole number is a float, text is neither.

    Raises
    ------
    ValueError
        With the path.
    """
    accepted = (int, float) if wanted is float else (wanted,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and wanted is not bool):
        names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
        hint = " (YAML reads 1e-4 as text: write 1.0e-4)" if isinstance(value, str) and wanted is float else ""
        raise ValueError(f"{path}: {value!r} is not {names.get(wanted, wanted.__name__)}{hint}")


def _nearest(key: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(str(key), known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else f"; known: {', '.join(known)}"


def _at_least(settings: Any, **least: int) -> None:
    for name, value in least.items():
        if getattr(settings, name) < value:
            raise ValueError(f"{name} must be at least {value}, not {getattr(settings, name)}")


def _positive(settings: Any, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > 0:
            raise ValueError(f"{name} must be positive, not {getattr(settings, name)}")
