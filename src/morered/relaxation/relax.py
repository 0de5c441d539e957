"""One call for every method: screen, relax, judge.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np
import torch

from morered import calculators
from morered.checks.judged import passes
from morered.checks.known import STATED
from morered.diffusion.schedule import NoiseSchedule
from morered.models.compile import Mode
from morered.models.networks import Potential
from morered.relaxation import ase_lbfgs, engine, physical
from morered.relaxation.codes import Code
from morered.relaxation.diffusion import DiffusionRelaxer
from morered.relaxation.familiarity import common_sizes, noted, unfamiliar
from morered.relaxation.frames import own_frames, turned, turned_back
from morered.relaxation.lbfgs import LbfgsRelaxer
from morered.relaxation.methods import DiffusionMethod, Method, PhysicalMethod, PotentialMethod
from morered.relaxation.networks import loaded, pair_bytes, uses_kernels
from morered.relaxation.noise_left import without_noise
from morered.relaxation.potentials import BatchedPotential, CalculatorPotential, NetworkPotential
from morered.relaxation.progress import progress_bar
from morered.relaxation.recording import Recording, spread
from morered.relaxation.restarts import Run, restarted
from morered.relaxation.screening import refusals
from morered.relaxation.state import Relaxer
from morered.relaxation.verdicts import Outcome, judge
from morered.structures import Structures
from morered.trajectories import Trajectories


@dataclass(frozen=True)
class Options:
    """How a relaxation is run; nothing here changes a result.

    Attributes
    ----------
    device
        Where networks run.
    batch_size
        Molecules side by side, at most; chosen by size and free memory if None.
    workers
        Processes for methods that take one molecule at a time; the available cores if None.
    compile
        Whether networks are compiled: auto where it pays, always or never.
    recording
        What is kept of the steps.
    lag
        See `morered.relaxation.engine.run`.
    """

    device: torch.device | str = "cpu"
    batch_size: int | None = None
    workers: int | None = None
    compile: Mode = "auto"
    recording: Recording | None = None
    lag: int | None = None


@dataclass(frozen=True)
class Relaxation:
    """Relaxed structures with their verdicts (see `morered.relaxation.verdicts`), and trajectories where they were asked for.

    Attributes
    ----------
    structures : Structures
        All molecules of the input in its order.
    trajectories : Trajectories or None
        Of all molecules in the same order; a refused one has no steps.
    """

    structures: Structures
    trajectories: Trajectories | None = None


class RelaxationInterrupted(KeyboardInterrupt):
    """Ctrl-C during a relaxation; ``relaxation`` holds what is done; the rest failed with the reason "interrupted"."""

    def __init__(self, relaxation: Relaxation) -> None:
        super().__init__("the relaxation was interrupted")
        self.relaxation = relaxation


def relax(
    structures: Structures,
    method: Method,
    *,
    progress: bool = False,
    device: torch.device | str = "cpu",
    batch_size: int | None = None,
    workers: int | None = None,
    compile: Mode = "auto",
    recording: Recording | None = None,
    seed: int | None = None,
    lag: int | None = None,
    checked: bool = True,
) -> Relaxation:
    """Relax molecules; every one comes back, in order, with a verdict.

    Parameters
    ----------
    structures : Structures
        M molecules; a molecule's noise depends on its id, so ids should differ.
    method : Method
        See `morered.relaxation.methods`.
    progress : bool
        Show a bar with molecules done, steps and the time left.
    seed : int, optional
        Of the noise, in place of the method's.
    device, batch_size, workers, compile, recording, lag
        See `Options`.
    checked : bool
        False leaves the verdict to the method, whatever the checks (`morered.checks`) say of input and result: for samplers,
        whose structures are noise.

    Returns
    -------
    Relaxation
        Converged, changed and capped molecules lie on their inputs (Kabsch), refused and failed ones have their input
        coordinates.

    Raises
    ------
    RelaxationInterrupted
        On Ctrl-C; it carries what is done.
    ValueError
        If a model is of the wrong kind, or models do not fit together.
    """
    if seed is not None and isinstance(method, DiffusionMethod):
        method = replace(method, seed=seed)
    options = Options(device, batch_size, workers, compile, recording, lag)
    matter = not (isinstance(method, DiffusionMethod) and method.start == "noise")
    plan = _plan(method, options)
    reasons = refusals(structures, plan.elements, who=plan.who, positions_matter=matter, proper=checked)
    taken = np.flatnonzero([reason is None for reason in reasons])
    outcome = Outcome.empty(structures)
    for m, reason in enumerate(reasons):
        if reason is not None:
            outcome.code[m], outcome.reasons[m] = int(Code.REFUSED), reason
    stated = {STATED: structures.columns[STATED]} if STATED in structures.columns else {}
    chosen = structures.without_columns().with_columns(stated)[taken]
    if not matter:
        chosen = chosen.with_positions(np.zeros_like(chosen.positions, dtype=np.float64))
    rotations = own_frames(chosen) if isinstance(method, DiffusionMethod) else None
    start = chosen.centred() if rotations is None else turned(chosen, rotations)
    with progress_bar(progress, len(structures), len(structures) - len(taken)) as tell:
        part, trajectories, interrupted = plan.run(start, tell)
    outcome.put(structures, taken, part)
    if trajectories is not None:
        trajectories = trajectories if rotations is None else turned_back(trajectories, rotations)
        trajectories = spread(trajectories, structures.ids, taken)
    judged = judge(structures, outcome, positions_matter=matter, clean_below=plan.clean_below, checked=checked)
    untried = np.isin(outcome.code, (int(Code.REFUSED), int(Code.INTERRUPTED)))
    notes = [None if left else note for left, note in zip(untried, unfamiliar(structures, plan.sizes), strict=True)]
    relaxation = Relaxation(noted(judged, notes), trajectories)
    if interrupted:
        raise RelaxationInterrupted(relaxation)
    return relaxation


@dataclass(frozen=True)
class _Plan:
    """A method with its models loaded: the elements they know, whose elements these are, how to run it, the fewest and most
    atoms of the molecules that the models have seen, and the predicted time that a clean structure is below.
    """

    elements: frozenset[int] | None
    who: str
    run: Run
    sizes: tuple[int, int] | None = None
    clean_below: float | None = None


def _plan(method: Method, options: Options) -> _Plan:
    if isinstance(method, DiffusionMethod):
        return _plan_diffusion(method, options)
    if isinstance(method, PotentialMethod):
        return _plan_potential(method, options)
    return _plan_physical(method, options)


def _plan_diffusion(method: DiffusionMethod, options: Options) -> _Plan:
    noise = loaded(method.noise, options.device, "noise", compile=options.compile)
    time = (
        noise
        if method.is_joint
        else None
        if method.time is None
        else loaded(method.time, options.device, "time", compile=options.compile)
    )
    if time is not None and time.config.diffusion != noise.config.diffusion:
        raise ValueError(f"the models have different noise schedules: {noise.config.diffusion} and {time.config.diffusion}")
    diffusion = noise.config.diffusion
    relaxer = partial(
        DiffusionRelaxer,
        noise=noise.network,
        time=None if time is None else time.network,
        schedule=NoiseSchedule(diffusion.schedule, diffusion.T, diffusion.s, diffusion.time_scale).to(options.device),
        joint=method.is_joint,
        dtype=noise.network.dtype,
        unused_times=options.recording is not None and options.recording.unused_times,
        pair_bytes=pair_bytes(max(noise.config.features, 0 if time is None else time.config.features)),
        kernels=uses_kernels(noise.network),
    )
    models = [model for model in (noise, time) if model is not None]
    elements = [model.network.elements for model in models if model.network.elements]
    known = frozenset.intersection(*elements) if elements else None

    def once(method: DiffusionMethod) -> Run:
        run = _batched(relaxer(method), options)
        return run if method.clean_below is None else without_noise(run, method.clean_below)

    run = once(method)
    if method.restarts is not None:
        brief = _batched(relaxer(method.brief), options) if method.restarts.steps else None  # noise is left after a few moves
        run = restarted(run, method.restarts, method.seed, brief, passes)
    sizes = common_sizes(model.header.sizes for model in models)
    return _Plan(known, "the model", run, sizes, method.clean_below)


def _plan_potential(method: PotentialMethod, options: Options) -> _Plan:
    precision = torch.float64 if method.precision == "double" else torch.float32
    potential: BatchedPotential
    sizes, kernels = None, False
    if method.potential == "mlff":
        model = loaded(method.model, options.device, "potential", precision, options.compile)
        potential, elements = NetworkPotential(cast(Potential, model.network)), model.network.elements or None
        sizes = common_sizes([model.header.sizes])
        kernels = uses_kernels(model.network)
    else:
        calculator = calculators.get(method.potential, dtype=str(precision).removeprefix("torch."), device=str(options.device))
        potential, elements = CalculatorPotential(calculator), calculator.elements
    who = "the force field"
    if method.optimizer == "ase":
        run = partial(ase_lbfgs.run, method=method, potential=potential, device=options.device, recording=options.recording)
        return _Plan(elements, who, lambda structures, tell: run(structures, progress=tell), sizes)
    return _Plan(elements, who, _batched(LbfgsRelaxer(method, potential, kernels), options), sizes)


def _plan_physical(method: PhysicalMethod, options: Options) -> _Plan:
    run = partial(physical.run, method=method, workers=options.workers, recording=options.recording)
    # Elements and parameters are the program's own business: its refusals say more.
    return _Plan(None, "the method", lambda structures, tell: run(structures, progress=tell))


def _batched(relaxer: Relaxer, options: Options) -> Run:
    """Run a relaxer in the engine."""

    def run(structures: Structures, tell: engine.Progress) -> tuple[Outcome, Trajectories | None, bool]:
        done, records = engine.run(
            structures,
            relaxer,
            device=options.device,
            batch_size=options.batch_size,
            lag=options.lag,
            recording=options.recording,
            progress=tell,
        )
        outcome = Outcome.empty(structures)
        finished = done.code != 0
        outcome.code[finished] = done.code[finished]
        outcome.positions, outcome.steps, outcome.seconds = done.positions, done.steps, done.seconds
        outcome.results |= done.results
        outcome.reasons = [relaxer.reason(Code(c)) if c else None for c in done.code.tolist()]
        return outcome, records.trajectories(), done.interrupted

    return run
