"""How molecules are relaxed: by reverse diffusion, on a batched potential, or by a program that takes one molecule at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from morered.settings.auto import AutoMethod
from morered.settings.base import Settings, group, key, several

Model = Any
"""A model: the name of shipped weights, the path of a weights file, or a `morered.models.weights.LoadedModel`."""

#: The paper's threshold on the largest force, 1.15e-3 kcal/mol/Å, in eV/Å; and its cap on the steps of every method.
FMAX, STEPS = 5.0e-5, 1000
#: Seconds for one molecule of a program, where nobody watches.
TIMEOUT = 600.0


@dataclass(frozen=True)
class Settled(Settings):
    """Done when the predicted clean structure stands still.

    Its interatomic distances are averaged over ``window`` steps. It stands still when their root mean square change from one
    window to the next is below ``threshold``. Distances are compared because a clean structure turns with the noise in the
    structure it is predicted from.
    """

    window: int = key(1, "Steps averaged.", ge=1)
    threshold: float = key(0.01, "Root mean square change of the distances between atoms, in Å.", gt=0)


@dataclass(frozen=True)
class StopRules(Settings):
    """When a molecule is done; whichever rule is met first counts.

    Where ``settled`` is met, the clean structure predicted last is the result, because the structure itself may still be noisy.
    """

    settled: Settled | None = group(None, "Done when the predicted clean structure stands still.")


@dataclass(frozen=True)
class Mixing(Settings):
    """Anderson mixing of jumps, see `morered.relaxation.samplers.mixing`."""

    memory: int = key(5, "Pairs of differences kept.", ge=1)
    warmup: int = key(3, "Plain jumps before it begins: the first jump has no history.", ge=1)
    max_move: float = key(0.3, "A mixed move is shortened so that no atom moves further, in Å.", gt=0)
    regularisation: float = key(
        1e-3,
        "What is added to the diagonal of the normal equations, relative to its mean. It damps directions without change.",
        gt=0,
    )


@dataclass(frozen=True)
class Overrelaxation(Settings):
    """Jumps that go beyond the predicted clean structure, see `morered.relaxation.samplers.overrelaxation`."""

    lengths: tuple[float, ...] = several(
        (0.5, 0.3, 0.1), "How far the atom that moves furthest goes in each long jump, in Å.", least=1
    )
    before: int = key(3, "Plain jumps before the first long one.", ge=0)
    between: int = key(3, "Plain jumps after each long one.", ge=1)
    factor: float = key(100.0, "A long jump goes no more than so many times as far as the predicted clean structure.", ge=1)
    atoms: int = key(11, "Molecules with fewer atoms, which have hardly a soft mode, are mixed instead.", ge=2)

    def __post_init__(self) -> None:
        if not all(length > 0 for length in self.lengths):
            raise ValueError("lengths: each is above 0")


@dataclass(frozen=True)
class Restarts(Settings):
    """When and how a molecule is tried again, see `morered.relaxation.samplers.restarts`."""

    tries: int = key(3, "Most further starts of a molecule. The first result that is not doubtful ends them.", ge=1)
    width: float = key(0.1, "Standard deviation of the noise added to the coordinates of each start, in Å.", gt=0)
    distance: float = key(0.6, "RMSD from the input beyond which a result is doubtful, in Å.", gt=0)
    reach: float = key(
        0.0,
        "In Å. A result is not doubtful if its RMSD from the input is at most this times the square root of the first predicted "
        "time.",
        ge=0,
    )
    clean_below: float = key(0.0, "A result is doubtful if its last predicted time is not below this.", ge=0, le=1)
    steps: int = key(0, "Cap on the steps of a further start; the nearest is then relaxed in full. 0: each is.", ge=0)


@dataclass(frozen=True)
class DiffusionSettings(Settings):
    """Relaxation by reverse diffusion, whatever the networks (sections 2.2 to 2.4 of the paper); the defaults are MoreRed-JT's.

    A reverse move without ``stochastic`` goes to the mean of Eq. 3. A ``ddim`` move goes to a structure of ``shrink`` times the
    step, without new noise (Song et al. 2021); the time used never exceeds it, whatever is predicted. Each restart has the whole
    cap.
    """

    KINDS: ClassVar[tuple[str, ...]] = ("morered",)
    #: The relaxer's name in a config.
    relaxer: Literal["morered"] = key("morered", "What moves the atoms.")
    schedule: Literal["adaptive", "initial", "fixed"] = key(
        "adaptive", "adaptive: the time is predicted before every step; initial: once; fixed: it starts at T - 1, as in DDPM."
    )
    move: Literal["reverse", "jump", "ddim", "accelerated"] = key(
        "reverse",
        "reverse: Eq. 5; jump: to the predicted clean structure; ddim: with a shrinking time; accelerated: jumps with Anderson "
        "mixing, or jumps of which some go further.",
    )
    stochastic: bool = key(True, "Whether a reverse step adds its noise.")
    damping: float = key(1.0, "Share of the way that a jump goes.", gt=0, le=1)
    shrink: float = key(0.5, "Factor on the step from one DDIM move to the next.", gt=0, lt=1)
    overrelaxation: Overrelaxation | None = group(
        None, "Accelerated moves of larger molecules are jumps of which some go beyond the predicted clean structure, not mixed."
    )
    steps: int = key(STEPS, "Cap on the steps.", ge=1)
    stop: StopRules = group(StopRules, "When a molecule is done, besides the cap and the paper's rule (a predicted step of 0).")
    restarts: Restarts | None = group(
        None, "Doubtful results of jumps are tried again from starts beside the input. The result nearest to the input is taken."
    )
    clean_below: float | None = key(
        None,
        "A molecule has failed if the last predicted time of its result is not below this.",
        gt=0,
        le=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.move == "accelerated" and self.schedule != "adaptive":
            raise ValueError("move: accelerated moves need the schedule adaptive")
        if self.overrelaxation is not None and self.move != "accelerated":
            raise ValueError(f"overrelaxation: it goes with the move accelerated, not with {self.move}")
        if self.clean_below is not None and (self.schedule != "adaptive" or self.move == "ddim"):
            raise ValueError("clean_below: it needs a time that is predicted at every step (schedule adaptive, not DDIM)")
        if self.restarts is not None and self.move not in ("jump", "accelerated"):
            raise ValueError("restarts: they go with the moves jump and accelerated, from the structure given")


@dataclass(frozen=True)
class DiffusionMethod(DiffusionSettings):
    """Relaxation by reverse diffusion with these networks. The same model, of kind morered-jt, for both is MoreRed-JT."""

    noise: Model = key(None, "The model that predicts the noise.")
    time: Model = key(None, "The model that predicts the time; a fixed schedule needs none.")
    mixing: Mixing = group(Mixing, "Settings of accelerated moves.")
    start: Literal["input", "noise"] = key(
        "input", "input: the structure given; noise: normal deviates in its place (generation); only its composition is used."
    )
    start_step: int | None = key(None, "Step (0..T-1) that a fixed schedule starts from; null: T - 1.", ge=0)
    seed: int = key(0, "Seed of the noise.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noise is None:
            raise ValueError("noise: a model that predicts noise is needed")
        if self.time is None and self.schedule != "fixed":
            raise ValueError(f"time: a model that predicts times is needed by the schedule {self.schedule!r}")
        if self.start_step is not None and self.schedule != "fixed":
            raise ValueError(f"start_step: goes with schedule fixed only, not with {self.schedule}")
        if self.restarts is not None and self.start == "noise":
            raise ValueError("restarts: they go with the moves jump and accelerated, from the structure given")

    @property
    def kind(self) -> str:
        """The relaxer's name in a config."""
        return self.relaxer

    @property
    def is_joint(self) -> bool:
        """Whether one model predicts both noise and time."""
        return self.time is self.noise or (isinstance(self.noise, str) and self.noise == self.time)

    @property
    def brief(self) -> DiffusionMethod:
        """The method by which further starts are compared, see `Restarts.steps`: no long jumps, which few steps do not repair."""
        assert self.restarts is not None
        steps = min(self.steps, self.restarts.steps)
        return replace(self, overrelaxation=None, steps=steps, stop=StopRules(settled=Settled()))


@dataclass(frozen=True)
class PotentialSettings(Settings):
    """Relaxation on a potential energy surface that is evaluated in batches, by L-BFGS with the rules of ASE's.

    With the valence force field's Hessian a molecule of forty atoms needs a fifth of the steps.
    """

    KINDS: ClassVar[tuple[str, ...]] = ("mlff", "aimnet2", "so3lr")
    optimizer: Literal["batched-lbfgs", "ase"] = key(
        "batched-lbfgs", "batched-lbfgs: all molecules at once; ase: ASE's, one after another, as the paper used it."
    )
    initial_hessian: Literal["diagonal", "valence"] = key(
        "diagonal", "diagonal: the same for every coordinate, as in ASE; valence: that of a valence force field."
    )
    fmax: float = key(FMAX, "Largest force on an atom at convergence, in eV/Å.", gt=0)
    steps: int = key(STEPS, "Cap on the steps.", ge=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.initial_hessian == "valence" and self.optimizer == "ase":
            raise ValueError("initial_hessian: valence goes with the optimizer batched-lbfgs")


@dataclass(frozen=True)
class _Potential(Settings):
    """The field that comes first."""

    potential: Any = key(
        meaning="mlff: the project's own; so3lr, aimnet2: pretrained ones; another batched calculator; or from Python "
        "a potential itself, see `morered.calculators.given`.",
        alias="relaxer",
    )
    model: Model = key(None, "Weights of the force field; for mlff only.")


@dataclass(frozen=True)
class PotentialMethod(PotentialSettings, _Potential):
    """Relaxation on this potential; ``precision`` is that of the network.

    Double precision matters where float32's noise in the forces, some 1e-5 eV/Å, does.
    """

    maxstep: float = key(0.2, "A step is shortened so that no atom moves further, in Å.", gt=0, le=1)
    memory: int = key(100, "Pairs of differences kept.", ge=1)
    damping: float = key(1.0, "Factor on each step.", gt=0)
    alpha: float = key(70.0, "Initial curvature in eV/Å².", gt=0)
    precision: Literal["single", "double"] = key("single", "Precision of the network.")

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.potential
        if not (isinstance(given, str) or callable(given) or hasattr(given, "get_forces") or hasattr(given, "compute")):
            raise ValueError(f"{self.potential!r} is no potential: give an ASE calculator, or a function of Structures")
        if (isinstance(self.potential, str) and self.potential == "mlff") != (self.model is not None):
            raise ValueError("model: the weights of the force field; needed by mlff and by nothing else")

    @property
    def kind(self) -> str:
        """The relaxer's name in a config; of a potential its own."""
        if isinstance(self.potential, str):
            return self.potential
        return str(getattr(self.potential, "name", "") or getattr(self.potential, "__name__", type(self.potential).__name__))


@dataclass(frozen=True)
class XtbSettings(Settings):
    """Relaxation with GFN-xTB by L-BFGS, one molecule at a time."""

    KINDS: ClassVar[tuple[str, ...]] = ("gfn2", "gfn1")
    fmax: float = key(FMAX, "Largest force on an atom at convergence, in eV/Å.", gt=0)
    steps: int = key(STEPS, "Cap on the steps.", ge=1)


@dataclass(frozen=True)
class Mmff94Settings(Settings):
    """Relaxation with MMFF94, one molecule at a time."""

    KINDS: ClassVar[tuple[str, ...]] = ("mmff94",)
    variant: Literal["paper", "tight", "rdkit"] = key(
        "paper",
        "paper: Open Babel's built-in routine and optimiser, as the paper used them; tight: L-BFGS on Open Babel's surface to "
        "the forces of the other methods; rdkit: RDKit's MMFF94 and its minimiser to the same forces, without Open Babel (what "
        "the command and the library call mmff94).",
    )
    steps: int = key(STEPS, "Cap on the steps.", ge=1)


@dataclass(frozen=True)
class PhysicalMethod(Settings):
    """Relaxation by a program that takes one molecule at a time, see `morered.relaxation.downhill.programs`.

    Without a ``timeout`` one worker does the work in this process, without a limit, and several workers have `TIMEOUT`.
    """

    program: str = key(meaning="gfn2, gfn1 (tblite, L-BFGS) or mmff94 (Open Babel, or RDKit as variant says).", alias="relaxer")
    timeout: float | None = key(None, "Seconds for one molecule, kept by worker processes.", gt=0)

    @property
    def kind(self) -> str:
        """The relaxer's name in a config."""
        return self.program

    @property
    def options(self) -> dict[str, Any]:
        """What the relaxer of one molecule takes, see `morered.relaxation.downhill.one_molecule.relax_one`."""
        return {name: value for name, value in self.to_dict().items() if name not in ("relaxer", "timeout")}


@dataclass(frozen=True)
class XtbMethod(XtbSettings, PhysicalMethod):
    """Relaxation with GFN-xTB."""

    accuracy: float = key(0.1, "tblite's accuracy.", gt=0)
    max_iterations: int = key(250, "Cap on the iterations of a self-consistent field.", ge=1)


@dataclass(frozen=True)
class Mmff94Method(Mmff94Settings, PhysicalMethod):
    """Relaxation with MMFF94; Open Babel's own routine (variant paper) has its own stop and does not use ``fmax``."""

    fmax: float = key(FMAX, "Largest force on an atom at convergence, in eV/Å.", gt=0)


OneMethod = DiffusionMethod | PotentialMethod | PhysicalMethod
Method = OneMethod | AutoMethod
