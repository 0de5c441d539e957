// The weights of a network by name, in the kernels' order, and the calls that take them.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "graph.h"

// Takes arrays out of a dictionary, each once.
class Named {
  public:
    explicit Named(const nb::dict& arrays) : arrays_(arrays) {}

    bool has(const std::string& name) const { return arrays_.contains(name.c_str()); }

    In take(const std::string& name, std::initializer_list<int64_t> shape) {
        if (!has(name)) throw nb::value_error(("the weights lack " + name).c_str());
        In found;
        if (!nb::try_cast<In>(arrays_[name.c_str()], found, false) || !found.is_valid())
            throw nb::type_error((name + " is no contiguous array of float32 on the CPU").c_str());
        expect(name.c_str(), found, shape);
        taken_.push_back(name);
        return found;
    }

    // Refuses what nobody took.
    void finish() const {
        for (const auto& [key, value] : arrays_) {
            const std::string name = nb::str(key).c_str();
            if (std::find(taken_.begin(), taken_.end(), name) == taken_.end())
                throw nb::value_error(("the weights hold " + name + ", which belongs to no layer").c_str());
        }
    }

  private:
    const nb::dict& arrays_;
    std::vector<std::string> taken_;
};

// A copy of a network's weights. Names and shapes, for blocks b and layers k from 0 on:
//
//     embedding [100, F], offsets [K], widths [K], filters.weight [blocks * 3F, K], filters.bias [blocks * 3F]
//     blocks.b.context.{0,1} (F -> F -> 3F; not of the first block), blocks.b.vectors (F -> 2F, no bias),
//     blocks.b.mix.{0,1} (2F -> F -> 3F)
//     context [100, 3F]: what atoms send in the first block, by element; needed by the heads, as they are by `infer`
//     atom_head.k (F -> ... -> 1)
//     noise_head.k.vectors (in -> 2 out, no bias), noise_head.k.first (in + out -> hidden, or in + 1 + out: the time between them),
//     noise_head.k.second (hidden -> 2 out); F -> ... -> 1
//
// A layer has a `.weight` [out, in] and, where nothing else is said, a `.bias` [out].
class Weights {
  public:
    Weights(const Library& library, const nb::dict& arrays, float cutoff, float softening, float epsilon, float tiny)
        : kernels(library.table) {
        Named named(arrays);
        const In embedding = named.take("embedding", {ELEMENTS, ANY}), offsets = named.take("offsets", {ANY});
        F = int64_t(embedding.shape(1));
        K = int64_t(offsets.size());
        require(F > 0 && F % 16 == 0, "features must be a multiple of 16");
        require(K > 0 && K < 64, "there must be 1 to 63 radial functions");
        const In filters = named.take("filters.weight", {ANY, K});
        const int64_t n_blocks = int64_t(filters.shape(0)) / (3 * F);
        require(n_blocks > 0, "there must be a block at least");
        expect("filters.weight", filters, {n_blocks * 3 * F, K});
        const In biases = named.take("filters.bias", {n_blocks * 3 * F});
        blocks_.resize(n_blocks);
        for (int64_t b = 0; b < n_blocks; ++b) {
            Block& block = blocks_[b];
            const std::string name = "blocks." + std::to_string(b) + ".";
            block = Block{};
            if (b) block.context[0] = dense(named, name + "context.0", F, F, true, true);
            if (b) block.context[1] = dense(named, name + "context.1", F, 3 * F, true, true);
            block.vectors = dense(named, name + "vectors", F, 2 * F, false, true);
            block.mix[0] = dense(named, name + "mix.0", 2 * F, F, true, true);
            block.mix[1] = dense(named, name + "mix.1", F, 3 * F, true, true);
            float* packed = room(3 * F * (K + 1));
            kernels->pack_filters(filters.data() + b * 3 * F * K, biases.data() + b * 3 * F, F, K, packed);
            block.filters = packed;
        }
        atom_head(named);
        noise_head(named);
        const bool context = named.has("context");
        require(context || (head_.empty() && gates_.empty()), "a network with heads needs a context");
        network = ::Network{keep(embedding),
                          context ? keep(named.take("context", {ELEMENTS, 3 * F})) : nullptr,
                          keep(offsets),
                          keep(named.take("widths", {K})),
                          blocks_.data(),
                          head_.data(),
                          gates_.data(),
                          F,
                          K,
                          n_blocks,
                          int64_t(head_.size()),
                          int64_t(gates_.size()),
                          cutoff,
                          softening,
                          epsilon,
                          tiny};
        named.finish();
    }

    Weights(const Weights&) = delete;

    void infer(int64_t start, int64_t stop, int64_t at_once, const Array<const int64_t>& elements, const In& positions,
               const Array<const bool>& mask, const In& times, const Out& noise, const Out& values, const Out& g_positions) const {
        expect("mask", mask, {ANY, ANY});
        const int64_t B = int64_t(mask.shape(0)), N = int64_t(mask.shape(1));
        within(start, stop, B);
        require(at_once > 0, "at_once must be 1 at least");
        const int64_t* z = numbers("numbers", elements, {B, N});
        for (int64_t n = start * N; n < stop * N; ++n)
            require(!mask.data()[n] || (z[n] >= 0 && z[n] < ELEMENTS), "atomic numbers must be 0 to 99");
        require(network.context, "weights without heads infer nothing");
        require(!noise.is_valid() || !gates_.empty(), "there is no noise head");
        require(!noise.is_valid() || times.is_valid() || !head_.empty(), "the noise head needs times");
        require((!values.is_valid() && !g_positions.is_valid()) || !head_.empty(), "there is no head for values of atoms");
        kernels->infer(&network, start, stop, N, at_once, z, numbers("positions", positions, {B, N, 3}), mask.data(),
                       numbers_or_null("times", times, {B}), numbers_or_null("noise", noise, {B, N, 3}),
                       numbers_or_null("values", values, {B, N}), numbers_or_null("g_positions", g_positions, {B, N, 3}));
    }

    // Numbers that `represent_forward` leaves for the way back, beside the q and x that it is given.
    int64_t left_size(int64_t atoms) const {
        int64_t size = 0;
        for (int64_t b = 0; b < network.n_blocks; ++b) {
            Left left{};
            each_left(b, left, [&](float*&, int64_t rows) { size += rows * atoms * F; });
        }
        return size;
    }

    // Names and sizes of the derivatives that `represent_backward` adds up, in their order; those of the filters are packed.
    nb::list gradients() const {
        nb::list found;
        for (int64_t b = 0; b < network.n_blocks; ++b) {
            Gradients gradients{};
            each_gradient(b, gradients, [&](const char* name, float*&, int64_t size) {
                found.append(nb::make_tuple(("blocks." + std::to_string(b) + "." + name).c_str(), size));
            });
        }
        return found;
    }

    void represent_forward(const PairGraph& graph, int64_t start, int64_t stop, int64_t at_once, const In& q, const In& x,
                           const Out& left, const Out& q_out, const Out& mu_out) const {
        const int64_t A = fits(graph, start, stop, at_once);
        const std::vector<Left> parts = lay_out(A, q, x, numbers("left", left, {left_size(A)}));
        kernels->represent_forward(&network, &graph.graph, start, stop, at_once, parts.data(), numbers("q_out", q_out, {A, F}),
                                   numbers("mu_out", mu_out, {A, 3, F}));
    }

    void represent_backward(const PairGraph& graph, int64_t start, int64_t stop, int64_t at_once, const In& q, const In& x,
                            const In& left, const In& g_q_out, const In& g_mu_out, const Out& g_q, const Out& g_x,
                            const Out& g_weights) const {
        const int64_t A = fits(graph, start, stop, at_once);
        const float* known = numbers("left", left, {left_size(A)});
        const std::vector<Left> parts = lay_out(A, q, x, const_cast<float*>(known));  // it is only read on the way back
        std::vector<Gradients> gradients(network.n_blocks);
        int64_t total = 0;
        for (int64_t b = 0; b < network.n_blocks; ++b)
            each_gradient(b, gradients[b], [&](const char*, float*&, int64_t size) { total += size; });
        float* next = numbers("g_weights", g_weights, {total});
        for (int64_t b = 0; b < network.n_blocks; ++b)
            each_gradient(b, gradients[b], [&](const char*, float*& where, int64_t size) { where = next, next += size; });
        kernels->represent_backward(&network, &graph.graph, start, stop, at_once, parts.data(),
                                    numbers("g_q_out", g_q_out, {A, F}), numbers("g_mu_out", g_mu_out, {A, 3, F}),
                                    numbers("g_q", g_q, {A, F}), numbers("g_x", g_x, {A, 3 * F}), gradients.data());
    }

    const Kernels* kernels;
    ::Network network;
    int64_t F, K;

  private:
    static constexpr int64_t ELEMENTS = 100;

    // Calls f(pointer, rows of A F numbers) for what a block leaves, in the order in memory.
    template <class Function>
    static void each_left(int64_t b, Left& left, Function f) {
        if (b) f(left.q, 1), f(left.mu, 3), f(left.x, 3), f(left.hidden_x, 1);
        f(left.sent, 3), f(left.vw, 6), f(left.context, 2), f(left.dots, 1), f(left.hidden_y, 1), f(left.y, 3);
    }

    // Calls f(name, pointer, size) for a block's derivatives, in the order in memory.
    template <class Function>
    void each_gradient(int64_t b, Gradients& g, Function f) const {
        f("filters", g.filters, 3 * F * (K + 1));
        if (b) {
            f("context.0.weight", g.context[0], F * F), f("context.0.bias", g.context_bias[0], F);
            f("context.1.weight", g.context[1], 3 * F * F), f("context.1.bias", g.context_bias[1], 3 * F);
        }
        f("vectors.weight", g.vectors, 2 * F * F);
        f("mix.0.weight", g.mix[0], 2 * F * F), f("mix.0.bias", g.mix_bias[0], F);
        f("mix.1.weight", g.mix[1], 3 * F * F), f("mix.1.bias", g.mix_bias[1], 3 * F);
    }

    // Atoms of a graph that goes with these weights.
    int64_t fits(const PairGraph& graph, int64_t start, int64_t stop, int64_t at_once) const {
        require(graph.kernels == kernels, "graph and weights must belong to the same kernels");
        require(graph.graph.F == F && graph.radial_basis == K, "graph and weights must have the same features and radial functions");
        within(start, stop, graph.n_molecules);
        require(at_once > 0, "at_once must be 1 at least");
        return graph.n_atoms;
    }

    std::vector<Left> lay_out(int64_t A, const In& q, const In& x, float* next) const {
        std::vector<Left> parts(network.n_blocks);
        for (int64_t b = 0; b < network.n_blocks; ++b)
            each_left(b, parts[b], [&](float*& where, int64_t rows) { where = next, next += rows * A * F; });
        parts[0].q = const_cast<float*>(numbers("q", q, {A, F}));  // the kernels write none of them
        parts[0].x = const_cast<float*>(numbers("x", x, {A, 3 * F}));
        return parts;
    }

    void atom_head(Named& named) {
        int64_t in = F;
        for (std::string name; named.has((name = "atom_head." + std::to_string(head_.size())) + ".weight");)
            head_.push_back(dense(named, name, in, ANY, true, true)), in = head_.back().out;
        require(head_.empty() || in == 1, "atom_head must end in one number");
    }

    void noise_head(Named& named) {
        int64_t in = F;
        for (std::string name; named.has((name = "noise_head." + std::to_string(gates_.size()) + ".") + "vectors.weight");) {
            Gate gate{};
            gate.vectors = dense(named, name + "vectors", in, ANY, false, false);
            const int64_t out = gate.vectors.out / 2;
            require(out > 0 && gate.vectors.out == 2 * out, "vectors of the noise head must come in pairs");
            const In first = named.take(name + "first.weight", {ANY, ANY});
            const int64_t hidden = int64_t(first.shape(0)), columns = int64_t(first.shape(1));
            const bool with_time = columns == in + 1 + out;
            require(with_time || columns == in + out, "the noise head's perceptron must see scalars and lengths");
            std::vector<float> weight(hidden * (in + out)), time(hidden);
            for (int64_t h = 0; h < hidden; ++h) {
                const float* row = first.data() + h * columns;
                std::copy(row, row + in, weight.data() + h * (in + out));
                std::copy(row + in + with_time, row + columns, weight.data() + h * (in + out) + in);
                if (with_time) time[h] = row[in];
            }
            gate.first = packed(weight.data(), in + out, hidden, false);
            gate.first.bias = keep(named.take(name + "first.bias", {hidden}));
            if (with_time) gate.time = keep(time.data(), hidden);
            gate.second = dense(named, name + "second", hidden, 2 * out, true, false);
            gates_.push_back(gate);
            in = out;
        }
        require(gates_.empty() || in == 1, "noise_head must end in one vector");
    }

    // Layer `name` [out, in]; `back` says whether the way back will be wanted.
    Dense dense(Named& named, const std::string& name, int64_t in, int64_t out, bool bias, bool back) {
        const In weight = named.take(name + ".weight", {out, in});
        Dense layer = packed(weight.data(), in, int64_t(weight.shape(0)), back);
        if (bias) layer.bias = keep(named.take(name + ".bias", {layer.out}));
        return layer;
    }

    Dense packed(const float* weight, int64_t in, int64_t out, bool back) {
        float* forward = room(in * rounded(out));
        kernels->pack_product(weight, in, out, 1, in, forward);
        float* backward = nullptr;
        if (back) kernels->pack_product(weight, out, in, in, 1, backward = room(out * rounded(in)));
        return Dense{forward, backward, nullptr, in, out};
    }

    static int64_t rounded(int64_t columns) { return (columns + 15) / 16 * 16; }  // 16 numbers are the longest register

    float* room(int64_t count) {
        kept_.emplace_back(count);
        return kept_.back().get();
    }
    const float* keep(const float* source, int64_t count) {
        kept_.emplace_back(source, count);
        return kept_.back().get();
    }
    const float* keep(const In& source) { return keep(source.data(), int64_t(source.size())); }

    std::vector<Block> blocks_;
    std::vector<Dense> head_;
    std::vector<Gate> gates_;
    std::vector<Buffer<float>> kept_;
};
