"""One call for every method: screen, relax, judge.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from morered.relaxation.auto import relax_auto
from morered.relaxation.codes import REASONS, Code
from morered.relaxation.downhill.lbfgs import BatchedLbfgs
from morered.relaxation.downhill.potentials import BatchedPotential, CalculatorPotential, NetworkPotential
from morered.relaxation.engine.loop import relax_batched
from morered.relaxation.engine.memory import molecules_that_fit
from morered.relaxation.engine.progress import progress_bar
from morered.relaxation.engine.state import BatchedMethod
from morered.relaxation.engine.step_records import spread
from morered.relaxation.networks import loaded, pair_bytes, uses_kernels
from morered.relaxation.recording import Recording
from morered.relaxation.result import Progress, RelaxationInterrupted, Result, Run
from morered.relaxation.samplers.frames import own_frames, turned, turned_back
from morered.relaxation.samplers.noise_left import without_noise
from morered.relaxation.samplers.restarts import restarted
from morered.relaxation.samplers.reverse_diffusion import ReverseDiffusion
from morered.relaxation.verdicts.expected import with_expected
from morered.relaxation.verdicts.familiarity import common_sizes, in_pieces, unfamiliar
from morered.relaxation.verdicts.fragments import put_where_they_were
from morered.relaxation.verdicts.judge import judge
from morered.relaxation.verdicts.screening import refusals
from morered.relaxation.verdicts.way_out import with_way_out
from morered.settings.auto import AutoMethod
from morered.settings.relaxation import DiffusionMethod, Method, OneMethod, PhysicalMethod, PotentialMethod
from morered.structures import Column, Structures, gathered


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
        See `morered.relaxation.engine.loop.relax_batched`.
    """

    device: torch.device | str = "cpu"
    batch_size: int | None = None
    workers: int | None = None
    compile: Mode = "auto"
    recording: Recording | None = None
    lag: int | None = None


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
) -> Result:
    """Relax molecules; every one comes back, in order, with a verdict.

    >>> from morered.relaxation.methods import preset
    >>> water = Structures.build([[8, 1, 1]], [[[0, 0, 0.1], [0, 0.8, -0.5], [0, -0.8, -0.5]]], ["water"])
    >>> relax(water, preset("mmff94"), workers=1).verdicts
    ['converged']

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
    Result
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
    if isinstance(method, AutoMethod):
        return relax_auto(
            structures,
            method,
            relax,
            progress=progress,
            device=devices.choose(str(device)),
            batch_size=batch_size,
            workers=workers,
            compile=compile,
            recording=recording,
            seed=seed,
            lag=lag,
            checked=checked,
        )
    options = Options(devices.choose(str(device)), batch_size, workers, compile, recording, lag)
    matter = not (isinstance(method, DiffusionMethod) and method.start == "noise")
    plan = _plan(method, options)
    reasons = refusals(structures, plan.elements, who=plan.who, positions_matter=matter, proper=checked)
    if isinstance(method, DiffusionMethod):
        reasons = with_way_out(reasons, structures, plan.elements, plan.who)
    if matter:
        electronic = electron_refusals(structures, charges=plan.charges, open_shell=plan.open_shell, who=plan.who, way_out=True)
        reasons = [reason or problem for reason, problem in zip(reasons, electronic, strict=True)]
    taken = np.flatnonzero([reason is None for reason in reasons])
    result = Result.begin(structures)
    for m, reason in enumerate(reasons):
        if reason is not None:
            result.code[m], result.reasons[m] = int(Code.REFUSED), reason
    chosen = stated_alone(structures)[taken]
    if not matter:
        chosen = chosen.with_positions(np.zeros_like(chosen.positions, dtype=np.float64))
    rotations = own_frames(chosen) if isinstance(method, DiffusionMethod) else None
    start = chosen.centred() if rotations is None else turned(chosen, rotations)
    with progress_bar(progress, len(structures), len(structures) - len(taken)) as tell:
        part = plan.run(start, tell)
    if matter and plan.cutoff is not None:
        put_where_they_were(part.positions, start, part.relaxed, plan.cutoff)
    put_back(part.positions, chosen, rotations)
    result.put(taken, part)
    result.interrupted = part.interrupted
    if part.trajectories is not None:
        trajectories = part.trajectories if rotations is None else turned_back(part.trajectories, rotations)
        result.trajectories = spread(trajectories, structures.ids, taken)
    untried = np.isin(result.code, (int(Code.REFUSED), int(Code.INTERRUPTED)))
    notes = [None if left else note for left, note in zip(untried, unfamiliar(structures, plan.sizes), strict=True)]
    if matter and isinstance(method, DiffusionMethod):
        there = np.flatnonzero(result.relaxed)
        ends = structures.with_positions(result.positions).without_columns()[there]
        for m, note in zip(there.tolist(), in_pieces(ends), strict=True):
            notes[m] = "; ".join(filter(None, (notes[m], note))) or None
    result = judge(structures, result, positions_matter=matter, clean_below=plan.clean_below, checked=checked, notes=notes)
    if plan.calibration is not None:
        result.structures = with_expected(result.structures, plan.calibration)
    if result.interrupted:
        raise RelaxationInterrupted(result)
    return result


@dataclass(frozen=True)
class _Plan:
    """A method with its models loaded, and what they know.

    ``elements`` are those that they know (None: any), ``who`` says whose these are, ``run`` relaxes. The models have seen
    molecules of ``sizes`` atoms, fewest and most. ``charges`` are the total charges that they know (None: any), ``open_shell``
    says whether they know radicals. The predicted time of a clean structure is below ``clean_below``. ``calibration`` says what
    a predicted time means for the distance left; None where nobody measured it. A network sees no further than ``cutoff`` (Å).
    """

    elements: frozenset[int] | None
    who: str
    run: Run
    sizes: tuple[int, int] | None = None
    charges: frozenset[int] | None = frozenset({0})
    open_shell: bool = False
    clean_below: float | None = None
    calibration: Calibration | None = None
    cutoff: float | None = None


def _plan(method: OneMethod, options: Options) -> _Plan:
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
    sampler = partial(
        ReverseDiffusion,
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
        run = _batched(sampler(method), options)
        return run if method.clean_below is None else without_noise(run, method.clean_below)

    run = once(method)
    if method.restarts is not None:
        brief = _batched(sampler(method.brief), options) if method.restarts.steps else None  # noise is left after a few moves
        run = restarted(run, method.restarts, method.seed, brief, passes)
    charges = frozenset.intersection(*(frozenset(model.header.charges) for model in models))
    sizes = common_sizes(model.header.sizes for model in models)
    measured = None if time is None or not time.header.calibration else Calibration.from_dict(time.header.calibration)
    return _Plan(
        known, "the model", run, sizes, charges, clean_below=method.clean_below, calibration=measured, cutoff=noise.config.cutoff
    )


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
        run = _batched(BatchedLbfgs(method, potential, kernels), options)
    return _Plan(elements, who, _labelled(run, potential, options.device), sizes, charges, open_shell)


def _plan_physical(method: PhysicalMethod, options: Options) -> _Plan:
    # it and what it imports are slow to import, and few need them
    from morered.relaxation.downhill.programs import relax_with_program

    run = partial(relax_with_program, method=method, workers=options.workers, recording=options.recording)
    # Elements, charges and parameters are the program's own business: its refusals say more.
    return _Plan(None, "the method", lambda structures, tell: run(structures, progress=tell), None, None, True)


def _batched(method: BatchedMethod, options: Options) -> Run:
    """Run a method in the engine."""

    def run(structures: Structures, tell: Progress) -> Result:
        return relax_batched(
            structures,
            method,
            device=options.device,
            batch_size=options.batch_size,
            lag=options.lag,
            recording=options.recording,
            progress=tell,
        )

    return run


def _one_by_one(method: PotentialMethod, potential: BatchedPotential, options: Options) -> Run:
    """Run ASE's optimiser."""

    def run(structures: Structures, tell: Progress) -> Result:
        # it and what it imports are slow to import, and few need them
        from morered.relaxation.downhill.ase_lbfgs import relax_one_by_one

        return relax_one_by_one(structures, method, potential, device=options.device, recording=options.recording, progress=tell)

    return run


def _labelled(run: Run, potential: BatchedPotential, device: torch.device | str) -> Run:
    """``run``, with energies and forces of what it relaxed."""

    def labelled(structures: Structures, tell: Progress) -> Result:
        result = run(structures, tell)
        if not result.interrupted:
            try:
                _label(structures, result, potential, device)
                _explain(structures, result, potential, device)
            except KeyboardInterrupt:  # what was relaxed is kept, without what was still to be said of it
                result.interrupted = True
        return result

    return labelled


def _explain(structures: Structures, result: Result, potential: BatchedPotential, device: torch.device | str) -> None:
    """Say why molecules have no forces, where their calculator tells."""
    lost = np.flatnonzero(result.code == int(Code.NO_FORCES))
    if not len(lost) or not isinstance(potential, CalculatorPotential):
        return
    reasons = potential.reasons(pad(structures.with_positions(result.positions).without_columns()[lost], device=device))
    for m, reason in zip(lost.tolist(), reasons, strict=True):
        if reason is not None:
            result.reasons[m] = f"{REASONS[Code.NO_FORCES]}: {reason}"


def _label(structures: Structures, result: Result, potential: BatchedPotential, device: torch.device | str) -> None:
    """Fill in energies and forces of the molecules that were relaxed on a batched potential: one evaluation each."""
    energies, gradients = np.full(len(structures), np.nan), np.full((structures.n_atoms, 3), np.nan)
    relaxed = np.flatnonzero(result.relaxed)
    ends = structures.with_positions(result.positions).without_columns()[relaxed]
    bytes_each = potential.bytes_per_molecule(int(ends.sizes.max(initial=1)))
    for index, n_padded in batches(ends.sizes, molecules_that_fit(bytes_each, torch.device(device))):
        batch = pad(ends, index, n_padded, device)
        with torch.no_grad():
            energy, forces = potential.energy_forces(batch)
        energies[relaxed[index]] = energy.to("cpu", torch.float64).numpy()
        atoms, _ = gathered(structures.offsets, relaxed[index])
        gradients[atoms] = unpad(forces.to(torch.float64), batch.mask)
    labels = {"energy": Column(energies, "eV"), "forces": Column(gradients, "eV/Å", per_atom=True)}
    result.structures = result.structures.with_columns(labels)
