"""Our networks beside SchNetPack's own modules, with the same weights, on the same batch -> results/bench/training.csv and .png.

In one process, on one core, without data loading: 128 molecules of the embedded QM7 (4 to 23 atoms), diffused to random steps
for the diffusion model (kind morered-jt) and displaced by 0.03 Å for the force field. SchNetPack's edges are all pairs of a
molecule's atoms, as in the authors' code, or, in rows of their own, only the pairs within the cutoff, found beforehand. Variants
take turns, and each number is the median of the repeats: of CPU seconds (`*_s`; what else runs on the machine disturbs them
little) and of wall seconds. Both use the allocator's settings of the Makefile; without them the program starts itself with them.

    case      forward (no gradients), step (loss, gradients, AdamW), forces (energies and forces), forces-step (then as step)
    ours      kernels: compiled kernels; compiled: padded tensors through torch.compile; plain: padded tensors, eager
    peer      eager or compiled: SchNetPack's modules, plain or through torch.compile; cutoff: eager, edges within the cutoff
    bound_s   what the products of atoms' features with weights take at the machine's measured peak: nothing can be faster
    products_gflop, pairs_gflop, traffic_mb   counted, see `gflop`, `pair_gflop` and `traffic`; the last two of one forward pass
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import schnetpack.nn
import schnetpack.properties as keys
import torch
from schnetpack.representation import PaiNN
from torch import Tensor, nn

from morered.batching import Batch, batches, bucket_of, pad
from morered.datasets import qm7
from morered.diffusion.forward import diffuse
from morered.diffusion.random_numbers import centre, normal
from morered.diffusion.schedule import NoiseSchedule
from morered.files import atomic_path
from morered.models.compile import maybe_compile
from morered.models.networks import DiffusionNetwork, Potential, build
from morered.settings.networks import ModelConfig

ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "8000000000", "MALLOC_TOP_PAD_": "268435456"}
MOLECULES = 128
CASES = ("forward", "step", "forces", "forces-step")
Case = Callable[[], object]


class Peer(nn.Module):
    """SchNetPack's modules with the weights of a network of ours, on its edge lists.

    Parameters
    ----------
    ours
        Gives config and weights.
    batch
        Gives numbers and edges.
    within
        Whether edges are only those within the cutoff.
    """

    def __init__(self, ours: DiffusionNetwork | Potential, batch: Batch, within: bool = False) -> None:
        super().__init__()
        config = ours.config
        radial = schnetpack.nn.GaussianRBF(config.radial_basis, config.cutoff)
        cutoff = schnetpack.nn.CosineCutoff(config.cutoff)
        self.representation = PaiNN(config.features, config.interactions, radial, cutoff)
        self.representation.load_state_dict(ours.representation.state_dict())
        features = config.features
        self.atoms: nn.Module
        if isinstance(ours, Potential):
            self.atoms = schnetpack.nn.build_mlp(features, 1, n_layers=config.energy_layers)
            self.atoms.load_state_dict(ours.energy_head.outnet.state_dict())
        else:
            self.atoms = schnetpack.nn.build_mlp(features, 1, n_layers=config.time_layers)
            self.atoms.load_state_dict(ours.time_head.outnet.state_dict())
            self.noise = schnetpack.nn.build_gated_equivariant_mlp(features, 1, n_layers=config.noise_layers)
            first = self.noise[0]
            self.noise[0] = type(first)(
                features + 1, features, first.n_sout, first.n_vout, first.n_hidden, sactivation=first.sactivation
            )
            self.noise.load_state_dict(ours.noise_head.state_dict())
        self.numbers = batch.numbers[batch.mask]
        self.positions = batch.positions[batch.mask]
        self.molecule = torch.repeat_interleave(torch.arange(len(batch)), batch.sizes)
        self.sizes = batch.sizes
        same = self.molecule[:, None] == self.molecule
        if within:
            same &= torch.cdist(self.positions, self.positions) < config.cutoff
        self.i, self.j = same.fill_diagonal_(False).nonzero(as_tuple=True)

    def features(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Scalars [A, F] and vectors [A, 3, F]."""
        vectors = positions[self.j] - positions[self.i]
        out = self.representation({keys.Z: self.numbers, keys.Rij: vectors, keys.idx_i: self.i, keys.idx_j: self.j})
        return out["scalar_representation"], out["vector_representation"]

    def predict(self) -> tuple[Tensor, Tensor]:
        """Noise [A, 3], centred, and times [A]."""
        scalars, vectors = self.features(self.positions)
        times = self.atoms(scalars)
        noise = self.noise((torch.cat([scalars, times], dim=1), vectors))[1].squeeze(-1)
        sums = noise.new_zeros(len(self.sizes), 3).index_add(0, self.molecule, noise)
        return noise - (sums / self.sizes[:, None])[self.molecule], times.squeeze(1)

    def energy_forces(self, create_graph: bool) -> tuple[Tensor, Tensor]:
        """Energies [B] and forces [A, 3]."""
        positions = self.positions.detach().requires_grad_(True)
        energies = self.atoms(self.features(positions)[0]).squeeze(1)
        (gradient,) = torch.autograd.grad(energies.sum(), positions, create_graph=create_graph)
        energies = energies if create_graph else energies.detach()
        return energies.new_zeros(len(self.sizes)).index_add(0, self.molecule, energies), -gradient


def networks(features: int) -> tuple[DiffusionNetwork, Potential]:
    """New ones."""
    torch.manual_seed(0)
    diffusion, potential = build(ModelConfig(features=features)), build(ModelConfig(kind="mlff", features=features))
    assert isinstance(diffusion, DiffusionNetwork)
    assert isinstance(potential, Potential)
    return diffusion, potential


def draw() -> tuple[Batch, Batch]:
    """The batch for the diffusion model, and for the force field."""
    minima = qm7.load().without_columns()
    rng = np.random.default_rng(0)
    minima = minima[np.sort(rng.choice(len(minima), MOLECULES, replace=False))].centred()
    minima = minima[np.argsort([bucket_of(int(size)) for size in minima.sizes], kind="stable")]  # the order of `by_bucket`
    batch = pad(minima)
    schedule = NoiseSchedule()
    steps = torch.from_numpy(rng.integers(0, schedule.T, MOLECULES))
    noise = centre(normal(0, batch.keys, 0, batch.n_padded), batch.mask)
    diffused = diffuse(batch.positions, steps, noise, schedule)
    displaced = batch.positions + 0.03 * torch.from_numpy(rng.standard_normal(batch.positions.shape)) * batch.mask[..., None]
    return batch.with_positions(diffused.float()), batch.with_positions(displaced.float())


def by_bucket(batch: Batch) -> list[Batch]:
    """Molecules of one bucket together, which wastes least padding, as in training."""
    parts = []
    for index, n_padded in batches(batch.sizes.numpy()):
        rows = torch.from_numpy(index)
        numbers, positions, mask = (tensor[rows, :n_padded] for tensor in (batch.numbers, batch.positions, batch.mask))
        parts.append(Batch(numbers, positions, mask, batch.keys[rows]))
    return parts


def ours(features: int, mode: str, diffused: Batch, displaced: Batch) -> dict[str, Case]:
    """The cases for our networks; ``mode`` is kernels, compiled or plain."""
    diffusion, potential = networks(features)
    for network in (diffusion, potential):
        if mode == "kernels":
            assert maybe_compile(network).execution == "kernels"
        elif mode == "compiled":
            network.execution = "compiled"
    noisy, moved = ([batch] if mode == "kernels" else by_bucket(batch) for batch in (diffused, displaced))

    def predict() -> tuple[Tensor, Tensor]:
        outputs = [diffusion(part.numbers, part.positions, part.mask) for part in noisy]
        return (
            torch.cat([output.noise[part.mask] for output, part in zip(outputs, noisy, strict=True)]),
            torch.cat([output.time_atoms[part.mask] for output, part in zip(outputs, noisy, strict=True)]),
        )

    def forward() -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            return predict()

    def forces(create_graph: bool) -> tuple[Tensor, Tensor]:
        results = [potential.energy_forces(part.numbers, part.positions, part.mask, create_graph=create_graph) for part in moved]
        return (
            torch.cat([energy for energy, _ in results]).float(),
            torch.cat([force[part.mask] for (_, force), part in zip(results, moved, strict=True)]),
        )

    return cases(forward, predict, forces, diffusion, potential)


def peer(features: int, mode: str, diffused: Batch, displaced: Batch) -> dict[str, Case]:
    """The cases for SchNetPack; ``mode`` is eager, compiled or cutoff."""
    diffusion, potential = (
        Peer(network, batch, within=mode == "cutoff")
        for network, batch in zip(networks(features), (diffused, displaced), strict=True)
    )
    predict, forces = diffusion.predict, potential.energy_forces
    if mode == "compiled":
        torch._dynamo.config.trace_autograd_ops = True
        predict, forces = torch.compile(predict, dynamic=False), torch.compile(forces, dynamic=False)

    def forward() -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            return predict()

    return cases(forward, predict, forces, diffusion, potential)


def cases(
    forward: Callable[[], tuple[Tensor, Tensor]],
    predict: Callable[[], tuple[Tensor, Tensor]],
    forces: Callable[[bool], tuple[Tensor, Tensor]],
    diffusion: nn.Module,
    potential: nn.Module,
) -> dict[str, Case]:
    """What is timed. The losses have gradients for every output; learning rate 0 keeps the weights the same for all variants."""
    optimisers = {module: torch.optim.AdamW(module.parameters(), lr=0.0, fused=True) for module in (diffusion, potential)}

    def step(module: nn.Module, outputs: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        optimisers[module].zero_grad()
        first, second = outputs()
        (0.9 * (first - 1.0).square().mean() + 0.1 * (second - 0.5).square().mean()).backward()
        optimisers[module].step()
        return first.detach(), second.detach()

    return {
        "forward": forward,
        "step": lambda: step(diffusion, predict),
        "forces": lambda: forces(False),
        "forces-step": lambda: step(potential, lambda: forces(True)),
    }


def check(reference: tuple[Tensor, ...], other: tuple[Tensor, ...], name: str) -> None:
    """Both compute the same."""
    for a, b in zip(reference, other, strict=True):
        error = ((a - b).abs().max() / a.abs().max()).item()
        if not error < 2e-5:
            raise RuntimeError(f"{name} differs by {error:.1e} of the largest value")


def take_turns(variants: dict[str, Case], repeats: int) -> dict[str, tuple[float, float]]:
    """Medians of CPU and wall seconds."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, run in variants.items():
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            times[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    return {
        name: (statistics.median(cpu for cpu, _ in values), statistics.median(wall for _, wall in values))
        for name, values in times.items()
    }


def peak_gflops() -> float:
    """Of a matrix product in the cache, 10^9 operations a second."""
    a = torch.randn(512, 512)
    best = float("inf")
    for _ in range(30):
        start = time.process_time()
        for _ in range(10):
            a @ a
        best = min(best, (time.process_time() - start) / 10)
    return 2 * 512**3 / best / 1e9


def gflop(features: int, atoms: int, kind: str) -> float:
    """Operations of the matrix products that turn atoms' features into others in one forward pass, in 10^9."""
    network = networks(features)[kind == "mlff"]
    total = 0
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear) and "filter_net" not in name:
            rows = 3 * atoms if "mu_channel_mix" in name or "mix_vectors" in name else atoms
            if "interactions.0." in name:
                rows = 100  # once for each element
            total += 2 * rows * module.in_features * module.out_features
    return total / 1e9


def pair_gflop(features: int, batch: Batch) -> float:
    """Operations of filters and messages in one forward pass, in 10^9: each pair within the cutoff, once for both directions.

    A filter is a product of K + 1 radial functions with 3 F weights; a message multiplies and adds 17 times per feature.
    """
    config = ModelConfig(features=features)
    distances = torch.cdist(batch.positions, batch.positions)
    apart = torch.ones(batch.n_padded, batch.n_padded, dtype=torch.bool).triu(1)
    pairs = int((batch.mask[:, :, None] & batch.mask[:, None] & apart & (distances < config.cutoff)).sum())
    return config.interactions * pairs * features * (2 * 3 * (config.radial_basis + 1) + 2 * 17) / 1e9


def traffic(features: int, atoms: int) -> float:
    """10^6 bytes that one forward pass moves between the core and its caches at least: what the kernels write and read again.

    21 numbers per atom, feature and interaction (`Trace` in the kernels), and all weights once for every 48 atoms.
    """
    config = ModelConfig(features=features)
    weights = sum(parameter.numel() for parameter in networks(features)[0].parameters())
    return 4 * (2 * 21 * features * atoms * config.interactions + weights * -(-atoms // 48)) / 1e6


#: Times the forward pass: a step has two more products of the same size for each; forces one more; their step, six in all.
PRODUCTS = {"forward": 1, "step": 3, "forces": 2, "forces-step": 6}


def measure(features: int, repeats: int, ours_modes: list[str], peer_modes: list[str]) -> Iterator[dict[str, str | int | float]]:
    """Rows of the table for one number of features."""
    diffused, displaced = draw()
    n_atoms = int(diffused.mask.sum())
    peak = peak_gflops()
    sets = {("ours", mode): ours(features, mode, diffused, displaced) for mode in ours_modes}
    sets |= {("peer", mode): peer(features, mode, diffused, displaced) for mode in peer_modes}
    for case in CASES:
        variants = {f"{side} {mode}": functions[case] for (side, mode), functions in sets.items()}
        reference = sets["peer", peer_modes[0]][case]()
        for name, run in variants.items():
            print(f"{features} features, {case}: warming up {name}", file=sys.stderr, flush=True)
            check(reference, run(), f"{case} of {name}")
            run()
        medians = take_turns(variants, repeats)
        operations = gflop(features, n_atoms, "mlff" if "forces" in case else "morered-jt") * PRODUCTS[case]
        for our_mode in ours_modes:
            for peer_mode in peer_modes:
                mine, theirs = medians[f"ours {our_mode}"], medians[f"peer {peer_mode}"]
                yield {
                    "case": case,
                    "features": features,
                    "ours": our_mode,
                    "peer": peer_mode,
                    "ours_s": round(mine[0], 5),
                    "peer_s": round(theirs[0], 5),
                    "ratio": round(theirs[0] / mine[0], 2),
                    "ours_wall_s": round(mine[1], 5),
                    "peer_wall_s": round(theirs[1], 5),
                    "products_gflop": round(operations, 3),
                    "pairs_gflop": round(pair_gflop(features, displaced if "forces" in case else diffused), 3),
                    "traffic_mb": round(traffic(features, n_atoms), 1),
                    "peak_gflops": round(peak, 1),
                    "bound_s": round(operations / peak, 5),
                    "repeats": repeats,
                    "molecules": MOLECULES,
                    "atoms": n_atoms,
                }


def draw_figure(rows: list[dict[str, str | int | float]], path: Path) -> None:
    """Bars of CPU time by case, one panel for each number of features."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sizes = sorted({int(row["features"]) for row in rows})
    figure = Figure(figsize=(3.6 * len(sizes), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, features in zip(figure.subplots(1, len(sizes), squeeze=False)[0], sizes, strict=True):
        chosen = [row for row in rows if row["features"] == features]
        bars: dict[str, dict[str, float]] = {}
        for row in chosen:
            for side, label in (("ours", "ours"), ("peer", "SchNetPack")):
                bars.setdefault(f"{label}, {row[side]}", {})[str(row["case"])] = float(row[f"{side}_s"])
        width = 0.8 / len(bars)
        for k, (name, values) in enumerate(bars.items()):
            places = [CASES.index(case) + (k - (len(bars) - 1) / 2) * width for case in values]
            axes.bar(places, [1e3 * value for value in values.values()], width, label=name)
        for k, case in enumerate(CASES):
            bound = next((float(row["bound_s"]) for row in chosen if row["case"] == case), None)
            if bound is not None:
                axes.hlines(
                    1e3 * bound, k - 0.4, k + 0.4, colors="black", linewidth=1, label="products alone" if k == 0 else None
                )
        axes.set_yscale("log")
        axes.set_xticks(range(len(CASES)), CASES)
        axes.set_title(f"{features} features, {MOLECULES} molecules")
        axes.set_ylabel("CPU time / ms")
    figure.axes[0].legend(fontsize="x-small")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=200)


def write(rows: list[dict[str, str | int | float]], path: Path) -> None:
    """The rows so far as a table."""
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def main() -> None:
    """Measure, write the table and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/bench/training.csv"))
    parser.add_argument("--features", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--repeats", type=int, default=9, help="median of so many (default: %(default)s)")
    parser.add_argument("--ours", nargs="+", choices=("kernels", "compiled", "plain"), default=["kernels", "compiled", "plain"])
    parser.add_argument("--peer", nargs="+", choices=("eager", "cutoff", "compiled"), default=["eager", "cutoff", "compiled"])
    parser.add_argument("--quick", action="store_true", help="kernels beside the eager peer only, medians of 5")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.ours, arguments.peer, arguments.repeats = ["kernels"], ["eager"], 5
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        environment = {**os.environ, **ALLOCATOR, "OMP_NUM_THREADS": "1"}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode)
    torch.set_num_threads(1)
    rows = []
    for features in arguments.features:
        for row in measure(features, arguments.repeats, arguments.ours, arguments.peer):
            rows.append(row)
            print("  ".join(f"{key}={value}" for key, value in row.items()), flush=True)
            write(rows, arguments.out)  # after each, so that a run which is ended early leaves what it has
    draw_figure(rows, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
