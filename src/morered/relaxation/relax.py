"""One call for every method: screen, relax, judge.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import numpy as np
import torch

from morered import calculators, devices, forking
from morered.batching import batches, pad, unpad
from morered.calculators.given import as_calculator
from morered.checks.judged import passes
from morered.checks.known import stated_alone
from morered.diffusion.schedule import NoiseSchedule
from morered.electrons import electron_refusals
from morered.frozen import put_back
from morered.metrics.calibration import Calibration
from morered.models.compile import Mode
from morered.models.networks import Potential
from morered.relaxation import engine
from morered.relaxation.batchsize import molecules_that_fit
from morered.relaxation.codes import REASONS, Code, is_relaxed
from morered.relaxation.diffusion import DiffusionRelaxer
from morered.relaxation.familiarity import common_sizes, noted, unfamiliar
from morered.relaxation.frames import own_frames, turned, turned_back
from morered.relaxation.lbfgs import LbfgsRelaxer
from morered.relaxation.networks import loaded, pair_bytes, uses_kernels
from morered.relaxation.noise_left import without_noise
from morered.relaxation.potentials import BatchedPotential, CalculatorPotential, NetworkPotential
from morered.relaxation.progress import progress_bar
from morered.relaxation.recording import Recording, spread
from morered.relaxation.restarts import Run, restarted
from morered.relaxation.screening import refusals
from morered.relaxation.state import Relaxer
from morered.relaxation.verdicts import Outcome, judge, with_expected
from morered.settings.relaxation import DiffusionMethod, Method, PhysicalMethod, PotentialMethod
from morered.structures import Structures, offsets_of
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
        Processes for methods that take one molecule at a time; the available cores if None. Such a method by its name does one
        molecule, or all with one worker, in this process, without a time limit.
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
    given : Structures or None
        The input.
    """

    structures: Structures
    trajectories: Trajectories | None = None
    given: Structures | None = field(default=None, kw_only=True)


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
        Converged, changed and capped molecules lie on their inputs (Kabsch), or where their frozen atoms are
        (`morered.frozen`); refused and failed ones have their input coordinates.

    Raises
    ------
    RelaxationInterrupted
        On Ctrl-C; it carries what is done.
    ValueError
        If a model is of the wrong kind, models do not fit together, or there is no such device.
    """
    if seed is not None and isinstance(method, DiffusionMethod):
        method = replace(method, seed=seed)
    forking.prepare()
    options = Options(devices.choose(str(device)), batch_size, workers, compile, recording, lag)
    matter = not (isinstance(method, DiffusionMethod) and method.start == "noise")
    plan = _plan(method, options)
    reasons = refusals(structures, plan.elements, who=plan.who, positions_matter=matter, proper=checked)
    if matter:
        electronic = electron_refusals(structures, charges=plan.charges, open_shell=plan.open_shell, who=plan.who, way_out=True)
        reasons = [reason or problem for reason, problem in zip(reasons, electronic, strict=True)]
    taken = np.flatnonzero([reason is None for reason in reasons])
    outcome = Outcome.empty(structures)
    for m, reason in enumerate(reasons):
        if reason is not None:
            outcome.code[m], outcome.reasons[m] = int(Code.REFUSED), reason
    chosen = stated_alone(structures)[taken]
    if not matter:
        chosen = chosen.with_positions(np.zeros_like(chosen.positions, dtype=np.float64))
    rotations = own_frames(chosen) if isinstance(method, DiffusionMethod) else None
    start = chosen.centred() if rotations is None else turned(chosen, rotations)
    with progress_bar(progress, len(structures), len(structures) - len(taken)) as tell:
        part, trajectories, interrupted = plan.run(start, tell)
    put_back(part.positions, chosen, rotations)
    outcome.put(structures, taken, part)
    if trajectories is not None:
        trajectories = trajectories if rotations is None else turned_back(trajectories, rotations)
        trajectories = spread(trajectories, structures.ids, taken)
    judged = judge(structures, outcome, positions_matter=matter, clean_below=plan.clean_below, checked=checked)
    untried = np.isin(outcome.code, (int(Code.REFUSED), int(Code.INTERRUPTED)))
    notes = [None if left else note for left, note in zip(untried, unfamiliar(structures, plan.sizes), strict=True)]
    if plan.calibration is not None:
        judged = with_expected(judged, plan.calibration)
    relaxation = Relaxation(noted(judged, notes), trajectories, given=structures)
    if interrupted:
        raise RelaxationInterrupted(relaxation)
    return relaxation


@dataclass(frozen=True)
class _Plan:
    """A method with its models loaded: the elements they know, whose elements these are, how to run it, the fewest and most
    atoms of the molecules that the models have seen, the total charges they know (None: any), whether they know radicals, the
    predicted time that a clean structure is below, and what a predicted time says of what is left (None: nobody measured it).
    """

    elements: frozenset[int] | None
    who: str
    run: Run
    sizes: tuple[int, int] | None = None
    charges: frozenset[int] | None = frozenset({0})
    open_shell: bool = False
    clean_below: float | None = None
    calibration: Calibration | None = None


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
        charged=any(model is not None and model.config.charges > 0 for model in (noise, time)),
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
    charges = frozenset.intersection(*(frozenset(model.header.charges) for model in models))
    sizes = common_sizes(model.header.sizes for model in models)
    measured = None if time is None or not time.header.calibration else Calibration.from_dict(time.header.calibration)
    return _Plan(known, "the model", run, sizes, charges, clean_below=method.clean_below, calibration=measured)


def _plan_potential(method: PotentialMethod, options: Options) -> _Plan:
    precision = torch.float64 if method.precision == "double" else torch.float32
    potential: BatchedPotential
    sizes, kernels = None, False
    charges: frozenset[int] | None
    who = "the force field"
    if method.model is not None:
        model = loaded(method.model, options.device, "potential", precision, options.compile)
        potential, elements = NetworkPotential(cast(Potential, model.network)), model.network.elements or None
        charges, open_shell = frozenset(model.header.charges), False
        sizes = common_sizes([model.header.sizes])
        kernels = uses_kernels(model.network)
    else:
        if isinstance(method.potential, str):
            calculator = calculators.get(
                method.potential, dtype=str(precision).removeprefix("torch."), device=str(options.device)
            )
        else:
            calculator = as_calculator(method.potential)
            who = calculator.name
        potential, elements = CalculatorPotential(calculator), calculator.elements
        charges, open_shell = None if calculator.charged else frozenset({0}), calculator.open_shell
    if method.optimizer == "ase":
        run = _one_by_one(method, potential, options)
    else:
        run = _batched(LbfgsRelaxer(method, potential, kernels), options)
    return _Plan(elements, who, _labelled(run, potential, options.device), sizes, charges, open_shell)


def _plan_physical(method: PhysicalMethod, options: Options) -> _Plan:
    from morered.relaxation import physical  # it and what it imports are slow to import, and few need them

    run = partial(physical.run, method=method, workers=options.workers, recording=options.recording)
    # Elements, charges and parameters are the program's own business: its refusals say more.
    return _Plan(None, "the method", lambda structures, tell: run(structures, progress=tell), None, None, True)


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


def _one_by_one(method: PotentialMethod, potential: BatchedPotential, options: Options) -> Run:
    """Run ASE's optimiser."""

    def run(structures: Structures, tell: engine.Progress) -> tuple[Outcome, Trajectories | None, bool]:
        from morered.relaxation import ase_lbfgs  # it and what it imports are slow to import, and few need them

        return ase_lbfgs.run(structures, method, potential, device=options.device, recording=options.recording, progress=tell)

    return run


def _labelled(run: Run, potential: BatchedPotential, device: torch.device | str) -> Run:
    """``run``, with energies and forces of what it relaxed."""

    def labelled(structures: Structures, tell: engine.Progress) -> tuple[Outcome, Trajectories | None, bool]:
        outcome, trajectories, interrupted = run(structures, tell)
        if not interrupted:
            _label(structures, outcome, potential, device)
            _explain(structures, outcome, potential, device)
        return outcome, trajectories, interrupted

    return labelled


def _explain(structures: Structures, outcome: Outcome, potential: BatchedPotential, device: torch.device | str) -> None:
    """Say why molecules have no forces, where their calculator tells."""
    lost = np.flatnonzero(outcome.code == int(Code.NO_FORCES))
    if not len(lost) or not isinstance(potential, CalculatorPotential):
        return
    reasons = potential.reasons(pad(structures.with_positions(outcome.positions).without_columns()[lost], device=device))
    for m, reason in zip(lost.tolist(), reasons, strict=True):
        if reason is not None:
            outcome.reasons[m] = f"{REASONS[Code.NO_FORCES]}: {reason}"


def _label(structures: Structures, outcome: Outcome, potential: BatchedPotential, device: torch.device | str) -> None:
    """Fill in energies and forces of the molecules that were relaxed on a batched potential: one evaluation each."""
    outcome.energies = np.full(len(structures), np.nan)
    outcome.forces = np.full((structures.n_atoms, 3), np.nan)
    relaxed = np.flatnonzero([is_relaxed(Code(code)) for code in outcome.code.tolist()])
    ends = structures.with_positions(outcome.positions).without_columns()[relaxed]
    bytes_each = potential.bytes_per_molecule(int(ends.sizes.max(initial=1)))
    for index, n_padded in batches(ends.sizes, molecules_that_fit(bytes_each, torch.device(device))):
        batch = pad(ends, index, n_padded, device)
        with torch.no_grad():
            energy, forces = potential.energy_forces(batch)
        outcome.energies[relaxed[index]] = energy.to("cpu", torch.float64).numpy()
        rows = unpad(forces.to(torch.float64), batch.mask)
        offsets = offsets_of(ends.sizes[index])
        for k, m in enumerate(relaxed[index].tolist()):
            atoms = slice(int(structures.offsets[m]), int(structures.offsets[m + 1]))
            outcome.forces[atoms] = rows[int(offsets[k]) : int(offsets[k + 1])]
