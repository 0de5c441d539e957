// What Python calls: checks every argument, then runs the kernels of the library that was opened, without the interpreter's lock.
//
// This is the one description of the calls: number and names of the arguments, element types, and, in the functions, shapes.
#include "graph.h"
#include "library.h"
#include "weights.h"

namespace {

using Doubles = Array<double>;
using ConstDoubles = Array<const double>;
using Release = nb::call_guard<nb::gil_scoped_release>;

void pack_filters(const Library& library, const In& weight, const In& bias, const Out& packed) {
    expect("weight", weight, {ANY, ANY});
    const int64_t F = int64_t(weight.shape(0)) / 3, K = int64_t(weight.shape(1));
    require(F % 16 == 0, "features must be a multiple of 16");
    library.table->pack_filters(numbers("weight", weight, {3 * F, K}), numbers("bias", bias, {3 * F}), F, K,
                                numbers("packed", packed, {3 * F * (K + 1)}));
}

void unpack_filters(const Library& library, const In& packed, const Out& weight, const Out& bias) {
    expect("weight", weight, {ANY, ANY});
    const int64_t F = int64_t(weight.shape(0)) / 3, K = int64_t(weight.shape(1));
    require(F % 16 == 0, "features must be a multiple of 16");
    library.table->unpack_filters(numbers("packed", packed, {3 * F * (K + 1)}), F, K, numbers("weight", weight, {3 * F, K}),
                                  numbers("bias", bias, {3 * F}));
}

// Atoms A, features F and O of the first half of mixing.
struct MixIn {
    int64_t A, F, O;
    template <class C>
    MixIn(int64_t start, int64_t stop, const In& vw, const C& context) {
        expect("vw", vw, {ANY, 3, ANY});
        A = int64_t(vw.shape(0)), O = int64_t(vw.shape(2)) / 2;
        expect("vw", vw, {A, 3, 2 * O});
        expect("context", context, {A, ANY});
        F = int64_t(context.shape(1)) - O;
        require(F >= 0, "context must hold scalars and lengths");
        within(start, stop, A);
    }
};

void mix_in(const Library& library, int64_t start, int64_t stop, float epsilon, const In& q, const In& vw, const Out& context,
            const Out& dots) {
    const MixIn n(start, stop, vw, context);
    library.table->mix_in(start, stop, n.F, n.O, epsilon, numbers("q", q, {n.A, n.F}), vw.data(), context.data(),
                          numbers("dots", dots, {n.A, n.O}));
}

void mix_in_backward(const Library& library, int64_t start, int64_t stop, const In& vw, const In& context, const In& g_context,
                     const In& g_dots, const In& g_w, const Out& g_q, const Out& g_vw) {
    const MixIn n(start, stop, vw, context);
    library.table->mix_in_backward(start, stop, n.F, n.O, vw.data(), context.data(),
                                   numbers("g_context", g_context, {n.A, n.F + n.O}), numbers("g_dots", g_dots, {n.A, n.O}),
                                   numbers("g_w", g_w, {n.A, 3, n.O}), numbers("g_q", g_q, {n.A, n.F}),
                                   numbers("g_vw", g_vw, {n.A, 3, 2 * n.O}));
}

void mix_in_backward_twice(const Library& library, int64_t start, int64_t stop, const In& vw, const In& context,
                           const In& g_context, const In& g_dots, const In& h_q, const In& h_vw, const Out& o_vw,
                           const Out& o_g_context, const Out& o_g_dots, const Out& o_g_w) {
    const MixIn n(start, stop, vw, context);
    library.table->mix_in_backward_twice(
        start, stop, n.F, n.O, vw.data(), context.data(), numbers("g_context", g_context, {n.A, n.F + n.O}),
        numbers("g_dots", g_dots, {n.A, n.O}), numbers("h_q", h_q, {n.A, n.F}), numbers("h_vw", h_vw, {n.A, 3, 2 * n.O}),
        numbers("o_vw", o_vw, {n.A, 3, 2 * n.O}), numbers("o_g_context", o_g_context, {n.A, n.F + n.O}),
        numbers("o_g_dots", o_g_dots, {n.A, n.O}), numbers("o_g_w", o_g_w, {n.A, 3, n.O}));
}

// The vectors W [A, 3, F] as they lie in vw [A, 3, 2F], the second half of its rows.
using Half = nb::ndarray<const float, nb::ndim<3>, nb::device::cpu>;

const float* second_half(const Half& w, int64_t A, int64_t F) {
    expect("w", w, {A, 3, F});
    require(A == 0 || ((A == 1 || w.stride(0) == 6 * F) && w.stride(1) == 2 * F && w.stride(2) == 1),
            "w must be the second half of the vectors that mix_in was given");
    return w.data();
}

// Atoms A and features F of the second half of mixing.
struct MixOut {
    int64_t A, F;
    MixOut(int64_t start, int64_t stop, const In& dots) {
        expect("dots", dots, {ANY, ANY});
        A = int64_t(dots.shape(0)), F = int64_t(dots.shape(1));
        within(start, stop, A);
    }
};

void mix_out(const Library& library, int64_t start, int64_t stop, const In& q, const In& mu, const In& y, const Half& w,
             const In& dots, const Out& q_out, const Out& mu_out) {
    const auto [A, F] = MixOut(start, stop, dots);
    library.table->mix_out(start, stop, F, numbers("q", q, {A, F}), numbers("mu", mu, {A, 3, F}), numbers("y", y, {A, 3 * F}),
                           second_half(w, A, F), dots.data(), numbers("q_out", q_out, {A, F}),
                           numbers("mu_out", mu_out, {A, 3, F}));
}

void mix_out_backward(const Library& library, int64_t start, int64_t stop, const In& y, const Half& w, const In& dots,
                      const In& g_q, const In& g_mu, const Out& g_y, const Out& g_dots, const Out& g_w) {
    const auto [A, F] = MixOut(start, stop, dots);
    library.table->mix_out_backward(start, stop, F, numbers("y", y, {A, 3 * F}), second_half(w, A, F), dots.data(),
                                    numbers("g_q", g_q, {A, F}), numbers("g_mu", g_mu, {A, 3, F}),
                                    numbers("g_y", g_y, {A, 3 * F}), numbers("g_dots", g_dots, {A, F}),
                                    numbers("g_w", g_w, {A, 3, F}));
}

void mix_out_backward_twice(const Library& library, int64_t start, int64_t stop, const In& y, const Half& w, const In& dots,
                            const In& g_q, const In& g_mu, const In& h_y, const In& h_dots, const In& h_w, const Out& o_y,
                            const Out& o_w, const Out& o_dots, const Out& o_g_q, const Out& o_g_mu) {
    const auto [A, F] = MixOut(start, stop, dots);
    library.table->mix_out_backward_twice(
        start, stop, F, numbers("y", y, {A, 3 * F}), second_half(w, A, F), dots.data(), numbers("g_q", g_q, {A, F}),
        numbers("g_mu", g_mu, {A, 3, F}), numbers("h_y", h_y, {A, 3 * F}), numbers("h_dots", h_dots, {A, F}),
        numbers("h_w", h_w, {A, 3, F}), numbers("o_y", o_y, {A, 3 * F}), numbers("o_w", o_w, {A, 3, F}),
        numbers("o_dots", o_dots, {A, F}), numbers("o_g_q", o_g_q, {A, F}), numbers("o_g_mu", o_g_mu, {A, 3, F}));
}

// The numbers of an array of any shape, as many as `n`.
template <class T>
T* as_many(const char* name, const Array<T>& given, int64_t n) {
    if (!given.is_valid() || int64_t(given.size()) != n)
        throw nb::value_error((std::string(name) + " must hold as many numbers as x, " + std::to_string(n)).c_str());
    return given.data();
}

void silu(const Library& library, int64_t start, int64_t stop, const In& x, const Out& y) {
    const int64_t n = int64_t(x.size());
    within(start, stop, n);
    library.table->silu(stop - start, x.data() + start, as_many("y", y, n) + start);
}

void silu_backward(const Library& library, int64_t start, int64_t stop, const In& x, const In& g_y, const Out& g_x) {
    const int64_t n = int64_t(x.size());
    within(start, stop, n);
    library.table->silu_backward(stop - start, x.data() + start, as_many("g_y", g_y, n) + start, as_many("g_x", g_x, n) + start);
}

void silu_backward_twice(const Library& library, int64_t start, int64_t stop, const In& x, const In& g_y, const In& h_x,
                         const Out& o_x, const Out& o_g_y) {
    const int64_t n = int64_t(x.size());
    within(start, stop, n);
    library.table->silu_backward_twice(stop - start, x.data() + start, as_many("g_y", g_y, n) + start,
                                       as_many("h_x", h_x, n) + start, as_many("o_x", o_x, n) + start,
                                       as_many("o_g_y", o_g_y, n) + start);
}

void lbfgs_direction(const Library& library, int64_t start, int64_t stop, int64_t oldest, int64_t count, double h,
                     const ConstDoubles& s, const ConstDoubles& y, const ConstDoubles& rho, const ConstDoubles& f,
                     const Doubles& direction) {
    expect("s", s, {ANY, ANY, ANY});
    const int64_t B = int64_t(s.shape(0)), H = int64_t(s.shape(1)), D = int64_t(s.shape(2));
    within(start, stop, B);
    require(count >= 0 && count <= H && oldest >= 0 && (oldest < H || count == 0), "there are no such pairs of differences");
    library.table->lbfgs_direction(start, stop, H, D, oldest, count, h, s.data(), numbers("y", y, {B, H, D}),
                                   numbers("rho", rho, {B, H}), numbers("f", f, {B, D}),
                                   numbers("direction", direction, {B, D}));
}

void mix(const Library& library, int64_t start, int64_t stop, int64_t place, int64_t warmup, double regularisation, double longest,
         const ConstDoubles& positions, const ConstDoubles& target, const Array<const int64_t>& taken, const Doubles& dg,
         const Doubles& df, const Doubles& g, const Doubles& f, const Doubles& moved) {
    expect("positions", positions, {ANY, ANY, 3});
    expect("dg", dg, {ANY, ANY, ANY});
    const int64_t B = int64_t(positions.shape(0)), N = int64_t(positions.shape(1)), D = 3 * N, H = int64_t(dg.shape(1));
    within(start, stop, B);
    require(place >= 0 && place < H, "there is no such place in the history");
    library.table->mix(start, stop, H, D, place, warmup, regularisation, longest, positions.data(),
                       numbers("target", target, {B, N, 3}), numbers("taken", taken, {B}), numbers("dg", dg, {B, H, D}),
                       numbers("df", df, {B, H, D}), numbers("g", g, {B, D}), numbers("f", f, {B, D}),
                       numbers("moved", moved, {B, N, 3}));
}

nb::list names() {
    nb::list found;
    for (const char* name : instruction_sets()) found.append(nb::str(name));
    return found;
}

}  // namespace

NB_MODULE(binding, module) {
    module.def("instruction_sets", names, "Names of the instruction sets that this machine runs, best first.");

    nb::class_<Library>(module, "Library", "A compiled set of kernels, opened from its file.")
        .def(nb::init<const char*>(), nb::arg("path"))
        .def_prop_ro("name", [](const Library& library) { return library.table->name; })
        .def("pack_filters", pack_filters, array("weight"), array("bias"), array("packed"), Release())
        .def("unpack_filters", unpack_filters, array("packed"), array("weight"), array("bias"), Release())
        .def("mix_in", mix_in, nb::arg("start"), nb::arg("stop"), nb::arg("epsilon"), array("q"), array("vw"), array("context"),
             array("dots"), Release())
        .def("mix_in_backward", mix_in_backward, nb::arg("start"), nb::arg("stop"), array("vw"), array("context"),
             array("g_context"), array("g_dots"), array("g_w"), array("g_q"), array("g_vw"), Release())
        .def("mix_in_backward_twice", mix_in_backward_twice, nb::arg("start"), nb::arg("stop"), array("vw"), array("context"),
             array("g_context"), array("g_dots"), array("h_q"), array("h_vw"), array("o_vw"), array("o_g_context"),
             array("o_g_dots"), array("o_g_w"), Release())
        .def("mix_out", mix_out, nb::arg("start"), nb::arg("stop"), array("q"), array("mu"), array("y"), array("w"), array("dots"),
             array("q_out"), array("mu_out"), Release())
        .def("mix_out_backward", mix_out_backward, nb::arg("start"), nb::arg("stop"), array("y"), array("w"), array("dots"),
             array("g_q"), array("g_mu"), array("g_y"), array("g_dots"), array("g_w"), Release())
        .def("mix_out_backward_twice", mix_out_backward_twice, nb::arg("start"), nb::arg("stop"), array("y"), array("w"),
             array("dots"), array("g_q"), array("g_mu"), array("h_y"), array("h_dots"), array("h_w"), array("o_y"), array("o_w"),
             array("o_dots"), array("o_g_q"), array("o_g_mu"), Release())
        .def("silu", silu, nb::arg("start"), nb::arg("stop"), array("x"), array("y"), Release())
        .def("silu_backward", silu_backward, nb::arg("start"), nb::arg("stop"), array("x"), array("g_y"), array("g_x"), Release())
        .def("silu_backward_twice", silu_backward_twice, nb::arg("start"), nb::arg("stop"), array("x"), array("g_y"), array("h_x"),
             array("o_x"), array("o_g_y"), Release())
        .def("lbfgs_direction", lbfgs_direction, nb::arg("start"), nb::arg("stop"), nb::arg("oldest"), nb::arg("count"),
             nb::arg("h"), array("s"), array("y"), array("rho"), array("f"), array("direction"), Release())
        .def("mix", mix, nb::arg("start"), nb::arg("stop"), nb::arg("place"), nb::arg("warmup"), nb::arg("regularisation"),
             nb::arg("longest"), array("positions"), array("target"), array("taken"), array("dg"), array("df"), array("g"),
             array("f"), array("moved"), Release());

    nb::class_<PairGraph>(module, "Graph", "The pairs of a flat batch.")
        .def(nb::init<const Library&, const In&, const Array<const int64_t>&, const In&, const In&, float, float, int64_t, bool>(),
             nb::arg("library"), array("positions"), array("atom_offsets"), array("offsets"), array("widths"), nb::arg("cutoff"),
             nb::arg("softening"), nb::arg("features"), nb::arg("slopes"), Release())
        .def_ro("n_molecules", &PairGraph::n_molecules)
        .def_ro("n_pairs", &PairGraph::n_pairs)
        .def("describe", &PairGraph::describe, nb::arg("start"), nb::arg("stop"), Release())
        .def("message_forward", &PairGraph::message_forward, nb::arg("start"), nb::arg("stop"), array("filters"), array("q"),
             array("x"), array_or_none("mu"), array("q_out"), array("mu_out"), Release())
        .def("message_backward", &PairGraph::message_backward, nb::arg("start"), nb::arg("stop"), array("filters"), array("x"),
             array_or_none("mu"), array("g_q"), array("g_mu"), array("g_x"), array_or_none("g_mu_in"),
             array_or_none("g_positions"), array_or_none("g_filters"), Release())
        .def("message_backward_twice", &PairGraph::message_backward_twice, nb::arg("start"), nb::arg("stop"), array("filters"),
             array("x"), array_or_none("mu"), array("g_q"), array("g_mu"), array("h_x"), array_or_none("h_mu"),
             array("h_positions"), array("o_g_q"), array("o_g_mu"), array("o_x"), array_or_none("o_mu"), array("o_filters"),
             Release());

    nb::class_<Weights>(module, "Weights", "A copy of a network's weights in the order of a set of kernels.")
        .def(nb::init<const Library&, const nb::dict&, float, float, float, float>(), nb::arg("library"), nb::arg("arrays"),
             nb::arg("cutoff"), nb::arg("softening"), nb::arg("epsilon"), nb::arg("tiny"))
        .def("infer", &Weights::infer, nb::arg("start"), nb::arg("stop"), nb::arg("at_once"), array("numbers"),
             array("positions"), array("mask"), array_or_none("times"), array_or_none("noise"), array_or_none("values"),
             array_or_none("g_positions"), Release())
        .def("left_size", &Weights::left_size, nb::arg("atoms"))
        .def_prop_ro("gradients", &Weights::gradients)
        .def("represent_forward", &Weights::represent_forward, nb::arg("graph"), nb::arg("start"), nb::arg("stop"),
             nb::arg("at_once"), array("q"), array("x"), array("left"), array("q_out"), array("mu_out"), Release())
        .def("represent_backward", &Weights::represent_backward, nb::arg("graph"), nb::arg("start"), nb::arg("stop"),
             nb::arg("at_once"), array("q"), array("x"), array("left"), array("g_q_out"), array("g_mu_out"), array("g_q"),
             array("g_x"), array("g_weights"), Release());
}
