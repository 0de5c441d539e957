"""What the compiled functions refuse: nothing that Python passes them reads or writes beyond an array."""

import pytest
import torch
from models_support import network, random_molecules

from morered.batching import pad
from morered.models.geometry import SOFTENING
from morered.models.layout import Flat
from morered.models.native import library, ops
from morered.models.native.graph import Graph
from morered.models.native.library import arrays
from morered.models.native.packing import Packed
from morered.relaxation import kernels

A, F, K = 7, 16, 5


def numbers(*shape: int) -> torch.Tensor:
    return torch.ones(shape)


def doubles(*shape: int) -> torch.Tensor:
    return torch.ones(shape, dtype=torch.float64)


ROWS, VECTORS, PAIRED, CONTEXT, X = (A, F), (A, 3, F), (A, 3, 2 * F), (A, 2 * F), (A, 3 * F)
PACKED = (3 * F * (K + 1),)
#: Settings and shapes of each function of the library. HALF stands for the second half of paired vectors, which has gaps.
HALF = "half"
CALLS = {
    "pack_filters": ((), [(3 * F, K), (3 * F,), PACKED]),
    "unpack_filters": ((), [PACKED, (3 * F, K), (3 * F,)]),
    "mix_in": ((0, A, 1e-8), [ROWS, PAIRED, CONTEXT, ROWS]),
    "mix_in_backward": ((0, A), [PAIRED, CONTEXT, CONTEXT, ROWS, VECTORS, ROWS, PAIRED]),
    "mix_in_backward_twice": ((0, A), [PAIRED, CONTEXT, CONTEXT, ROWS, ROWS, PAIRED, PAIRED, CONTEXT, ROWS, VECTORS]),
    "mix_out": ((0, A), [ROWS, VECTORS, X, HALF, ROWS, ROWS, VECTORS]),
    "mix_out_backward": ((0, A), [X, HALF, ROWS, ROWS, VECTORS, X, ROWS, VECTORS]),
    "mix_out_backward_twice": ((0, A), [X, HALF, ROWS, ROWS, VECTORS, X, ROWS, VECTORS, X, VECTORS, ROWS, ROWS, VECTORS]),
    "silu": ((0, A), [(A,), (A,)]),
    "silu_backward": ((0, A), [(A,), (A,), (A,)]),
    "silu_backward_twice": ((0, A), [(A,), (A,), (A,), (A,), (A,)]),
    "message_forward": ((0, 2), [PACKED, ROWS, X, VECTORS, ROWS, VECTORS]),
    "message_backward": ((0, 2), [PACKED, X, VECTORS, ROWS, VECTORS, X, VECTORS, (A, 3)]),
    "message_backward_twice": (
        (0, 2),
        [PACKED, X, VECTORS, ROWS, VECTORS, X, VECTORS, (A, 3), ROWS, VECTORS, X, VECTORS, PACKED],
    ),
}


def tensors_of(name: str) -> list[torch.Tensor]:
    if name == "lbfgs_direction":
        return [doubles(*shape) for shape in ((2, 3, 9), (2, 3, 9), (2, 3), (2, 9), (2, 9))]
    if name == "mix":
        history = [doubles(*shape) for shape in ((2, 4, 9), (2, 4, 9), (2, 9), (2, 9))]
        return [doubles(2, 3, 3), doubles(2, 3, 3), torch.ones(2, dtype=torch.int64), *history, doubles(2, 3, 3)]
    return [numbers(*PAIRED)[..., F:] if shape == HALF else numbers(*shape) for shape in CALLS[name][1]]


def graph(slopes: bool = True) -> Graph:
    molecules = random_molecules((3, 4))
    positions = torch.from_numpy(molecules.positions).float().requires_grad_(slopes)
    return Graph(positions, torch.tensor([0, 3, 7]), torch.linspace(0, 5, K), torch.ones(K), 5.0, F)


@pytest.fixture(params=[*CALLS, "lbfgs_direction", "mix"])
def call(request):
    """A function, its settings and its arrays."""
    name = request.param
    owner = graph().native if name.startswith("message") else library.load()
    settings = {"lbfgs_direction": (0, 2, 0, 3, 0.1), "mix": (0, 2, 1, 1, 1e-8, 0.1)}
    last = (None,) if name == "message_backward" else ()  # the derivatives by the filters: those by the positions are asked for
    start = settings[name] if name in settings else CALLS[name][0]
    return lambda settings, tensors: getattr(owner, name)(*settings, *arrays(*tensors), *last), start, tensors_of(name)


def test_right_arguments_are_taken(call):
    function, settings, tensors = call
    function(settings, tensors)


def test_wrong_arrays_are_refused(call):
    """Each one in turn: another type, another size, gaps, and one too few or too many."""
    function, settings, tensors = call
    for k, tensor in enumerate(tensors):
        wrong_type = tensor.float() if tensor.dtype == torch.float64 else tensor.double()
        gaps = torch.stack([tensor, tensor], dim=-1)[..., 0]
        for wrong in (wrong_type, gaps):
            with pytest.raises((ValueError, TypeError), match=r"incompatible function arguments|second half"):
                function(settings, [*tensors[:k], wrong, *tensors[k + 1 :]])
        wider = torch.cat([tensor, tensor], dim=-1)
        with pytest.raises((ValueError, TypeError)):
            function(settings, [*tensors[:k], wider, *tensors[k + 1 :]])
    for wrong in (tensors[:-1], [*tensors, tensors[-1], tensors[-1]]):
        with pytest.raises(TypeError, match="incompatible function arguments"):
            function(settings, wrong)


def test_parts_beyond_the_end_are_refused(call):
    function, settings, tensors = call
    if not settings:
        return  # packing takes a whole matrix
    start, stop, *rest = settings
    for part in ((-1, stop), (start, stop + 1), (stop, start)):
        with pytest.raises(ValueError, match="does not lie within"):
            function((*part, *rest), tensors)


def test_the_message_names_argument_and_shape():
    x = numbers(A, 3 * F)
    with pytest.raises(ValueError, match=r"q must have the shape \[7, 16\], but is of shape \[6, 16\]"):
        graph().native.message_forward(
            0, 2, *arrays(numbers(3 * F * (K + 1)), numbers(A - 1, F), x, None, numbers(A, F), numbers(A, 3, F))
        )


def test_what_belongs_together_is_asked_for():
    packed, q, x, mu = numbers(3 * F * (K + 1)), numbers(A, F), numbers(A, 3 * F), numbers(A, 3, F)
    backward = graph().native.message_backward
    with pytest.raises(ValueError, match="either g_positions or g_filters"):
        backward(0, 2, *arrays(packed, x, mu, q, mu, x, mu, None, None))
    with pytest.raises(ValueError, match="mu and g_mu_in"):
        backward(0, 2, *arrays(packed, x, None, q, mu, x, mu, numbers(A, 3), None))
    with pytest.raises(ValueError, match="needs a graph with slopes"):
        graph(slopes=False).native.message_backward(0, 2, *arrays(packed, x, mu, q, mu, x, mu, numbers(A, 3), None))


@pytest.mark.parametrize(
    ("offsets", "reason"),
    [
        ([1, 7], "begin with 0"),
        ([0, 5, 3, 7], "must not fall"),
        ([0, 9], r"positions must have the shape \[9, 3\]"),
        ([], "one number"),
    ],
)
def test_molecules_that_do_not_follow_each_other_are_refused(offsets, reason):
    basis = (torch.linspace(0, 5, K), torch.ones(K))
    with pytest.raises(ValueError, match=reason):
        Graph(numbers(7, 3), torch.tensor(offsets, dtype=torch.int64), *basis, 5.0, F)


def test_sizes_that_the_kernels_do_not_know_are_refused():
    at = torch.tensor([0, 7])
    with pytest.raises(ValueError, match="multiple of 16"):
        Graph(numbers(7, 3), at, numbers(K), numbers(K), 5.0, 24)
    with pytest.raises(ValueError, match="1 to 63 radial functions"):
        Graph(numbers(7, 3), at, numbers(64), numbers(64), 5.0, F)


class TestWeights:
    """Named arrays of a network."""

    def arrays(self) -> dict[str, torch.Tensor]:
        """Those of a network without heads."""
        layers = {"vectors": (2 * F, F), "mix.0": (F, 2 * F), "mix.1": (3 * F, F)}
        named = {f"blocks.0.{name}.weight": numbers(*shape) for name, shape in layers.items()}
        named |= {f"blocks.0.{name}.bias": numbers(shape[0]) for name, shape in layers.items() if name != "vectors"}
        named |= {"embedding": numbers(100, F), "offsets": numbers(K), "widths": numbers(K)}
        return {**named, "filters.weight": numbers(3 * F, K), "filters.bias": numbers(3 * F)}

    def build(self, named: dict[str, torch.Tensor]):
        values = dict(zip(named, arrays(*named.values()), strict=True))
        return library.binding().Weights(library.load(), values, 5.0, SOFTENING, 1e-8, 1e-16)

    def test_the_layout_of_derivatives_is_told(self):
        sizes = dict(self.build(self.arrays()).gradients)
        assert sizes["blocks.0.filters"] == 3 * F * (K + 1)
        assert sizes["blocks.0.mix.0.weight"] == 2 * F * F
        assert sum(sizes.values()) == 3 * F * (K + 1) + (2 + 2 + 3) * F * F + 4 * F

    def test_each_array_is_needed_once_and_no_other(self):
        for name in self.arrays():
            named = self.arrays()
            del named[name]
            with pytest.raises(ValueError, match=r"the weights lack|there must be"):
                self.build(named)
        with pytest.raises(ValueError, match="hold nonsense, which belongs to no layer"):
            self.build(self.arrays() | {"nonsense": numbers(3)})

    def test_wrong_shapes_and_types_are_refused_by_name(self):
        for name, tensor in self.arrays().items():
            with pytest.raises(ValueError, match="must"):
                self.build(self.arrays() | {name: torch.cat([tensor, tensor], dim=-1)})
            with pytest.raises(TypeError, match=f"{name} is no contiguous array of float32"):
                self.build(self.arrays() | {name: tensor.double()})

    def test_a_head_needs_a_context_and_ends_in_one_number(self):
        head = {"atom_head.0.weight": numbers(1, F), "atom_head.0.bias": numbers(1)}
        with pytest.raises(ValueError, match="needs a context"):
            self.build(self.arrays() | head)
        with pytest.raises(ValueError, match="must end in one number"):
            self.build(self.arrays() | {"atom_head.0.weight": numbers(2, F), "atom_head.0.bias": numbers(2)})

    def test_a_call_for_what_is_not_there_is_refused(self):
        with pytest.raises(ValueError, match="without heads"):
            self.infer(self.build(self.arrays()))
        head = {"atom_head.0.weight": numbers(1, F), "atom_head.0.bias": numbers(1), "context": numbers(100, 3 * F)}
        weights = self.build(self.arrays() | head)
        self.infer(weights, values=numbers(2, 3))
        with pytest.raises(ValueError, match="no noise head"):
            self.infer(weights, noise=numbers(2, 3, 3))
        with pytest.raises(ValueError, match="0 to 99"):
            self.infer(weights, elements=100, values=numbers(2, 3))
        with pytest.raises(ValueError, match="at_once"):
            self.infer(weights, at_once=0)
        with pytest.raises(ValueError, match=r"values must have the shape \[2, 3\]"):
            self.infer(weights, values=numbers(2, 2))

    def infer(self, weights, elements=1, at_once=48, noise=None, values=None):
        inputs = (torch.full((2, 3), elements), numbers(2, 3, 3), torch.ones(2, 3, dtype=torch.bool), None)
        weights.infer(0, 2, at_once, *arrays(*inputs, noise, values, None))

    def test_a_graph_of_another_set_or_size_is_refused(self, monkeypatch):
        weights = self.build(self.arrays())
        left = numbers(weights.left_size(A))
        tensors = (numbers(A, F), numbers(A, 3 * F), left, numbers(A, F), numbers(A, 3, F))
        weights.represent_forward(graph().native, 0, 2, 48, *arrays(*tensors))
        with pytest.raises(ValueError, match="left must have the shape"):
            weights.represent_forward(graph().native, 0, 2, 48, *arrays(*tensors[:2], left[1:].clone(), *tensors[3:]))
        other = Graph(numbers(A, 3), torch.tensor([0, 7]), numbers(K), numbers(K), 5.0, 2 * F)
        with pytest.raises(ValueError, match="same features"):
            weights.represent_forward(other.native, 0, 1, 48, *arrays(*tensors))
        foreign = library.binding().Library(str(library._file("kernels_baseline")))
        native = library.binding().Graph(
            foreign, *arrays(numbers(A, 3), torch.tensor([0, 7]), numbers(K), numbers(K)), 5.0, SOFTENING, F, False
        )
        if library.load().name != "baseline":
            with pytest.raises(ValueError, match="belong to the same kernels"):
                weights.represent_forward(native, 0, 1, 48, *arrays(*tensors))


@pytest.mark.parametrize("engine", ["dense", "kernels"])
@pytest.mark.parametrize("kind", ["morered-jt", "noise", "time", "mlff"])
@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (2, 0), (2, 4)])
def test_batches_without_atoms_give_empty_results(engine, kind, shape):
    """No molecules, or molecules of padding alone; with gradients by the weights and without, and forces."""
    model = network(kind, engine=engine)
    numbers, positions = torch.zeros(shape, dtype=torch.int64), torch.zeros(*shape, 3, dtype=model.dtype)
    mask = torch.zeros(shape, dtype=torch.bool)
    for recorded in (False, True):
        with torch.set_grad_enabled(recorded):
            if kind == "mlff":
                energy, forces = model.energy_forces(numbers, positions, mask, create_graph=recorded)
                outputs = {"energy": energy, "vectors": forces}
            else:
                output = model(numbers, positions, mask, torch.zeros(shape[0]) if model.time_head is None else None)
                named = {"vectors": output.noise, "time_atoms": output.time_atoms, "time": output.time}
                outputs = {name: value for name, value in named.items() if value is not None}
        expected = {"vectors": (*shape, 3), "time_atoms": shape, "time": shape[:1], "energy": shape[:1]}
        for name, value in outputs.items():
            assert value.shape == expected[name]
            assert not value.any()
    sum(value.float().sum() for value in outputs.values()).backward()
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in model.parameters())


def test_optimisers_take_no_molecules():
    empty = torch.zeros(0, 3, 9).double()
    direction = kernels.lbfgs_direction(empty, empty, torch.zeros(0, 3).double(), torch.zeros(0, 9).double(), 0, 3, 0.1)
    assert direction.shape == (0, 9)
    history = (empty, empty, torch.zeros(0, 9).double(), torch.zeros(0, 9).double())
    places = torch.zeros(0, 3, 3).double()
    taken = torch.zeros(0, dtype=torch.int64)
    assert kernels.mix(places, places, taken, history, 0, warmup=1, regularisation=1e-8, longest=1.0).shape == (0, 3, 3)


def test_a_flat_batch_without_atoms_has_no_pairs():
    model = network("time", engine="kernels")
    nothing = (torch.zeros(2, 4, dtype=torch.int64), torch.zeros(2, 4, 3), torch.zeros(2, 4, dtype=torch.bool))
    flat = Flat(*nothing, model.representation)
    assert flat.pairs.n_pairs == 0
    assert ops.silu(torch.zeros(0, 16)).shape == (0, 16)
    assert Packed(model.representation).native.left_size(0) == 0


def test_padded_and_flat_agree_where_one_molecule_is_empty():
    model, batch = network("morered-jt", engine="kernels"), pad(random_molecules((4, 7)), dtype=torch.float32)
    with torch.no_grad():
        expected = model(batch.numbers, batch.positions, batch.mask)
        mask = torch.cat([batch.mask[:1], torch.zeros_like(batch.mask[:1]), batch.mask[1:]])
        order = torch.tensor([0, 0, 1])
        found = model(batch.numbers[order], batch.positions[order], mask)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours[[0, 2]], theirs)
        assert not ours[1].any()
