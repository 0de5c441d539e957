// A whole network in one call, on padded batches: noise, times, energies and forces, without gradients by the weights.
//
// A few molecules at a time go through all layers, so that what one layer writes the next reads from the cache.
#pragma once
#include "network.h"

namespace {

// What a block leaves for the way back.
struct Trace {
    float *x, *mu, *hidden_x, *vw, *context, *dots, *hidden_y, *y;
};

// Molecules [m0, m1) of a padded batch.
class Group {
  public:
    Group(const Network& network, Memory& memory) : net(network), memory(memory) {}

    // Flat copies of numbers and positions, and the pairs.
    void gather(int64_t m0, int64_t m1, int64_t N, const int64_t* numbers, const float* positions, const bool* mask,
                bool slopes) {
        B = m1 - m0;
        atom_offsets.assign(1, 0);
        places.clear();
        int64_t possible = 0;
        for (int64_t m = m0; m < m1; ++m) {
            for (int64_t n = m * N; n < (m + 1) * N; ++n)
                if (mask[n]) places.push_back(n);
            const int64_t size = int64_t(places.size()) - atom_offsets.back();
            possible += size * (size - 1) / 2;
            atom_offsets.push_back(int64_t(places.size()));
        }
        A = int64_t(places.size());
        elements.resize(A);
        flat.resize(3 * A);
        for (int64_t a = 0; a < A; ++a) {
            elements[a] = numbers[places[a]];
            for (int c = 0; c < 3; ++c) flat[3 * a + c] = positions[3 * places[a] + c];
        }
        pair_atoms.resize(2 * possible);
        pair_offsets.resize(B + 1);
        const int64_t P = find_pairs(flat.data(), atom_offsets.data(), B, net.cutoff, pair_atoms.data(), pair_offsets.data());
        const int64_t L = (net.K + 8) / 8 * 8;
        float *radial = memory.take(P * L), *slope = slopes ? memory.take(P * L) : nullptr, *u = memory.take(3 * P),
              *d = memory.take(P);
        describe_pairs(flat.data(), pair_atoms.data(), P, net.cutoff, net.softening, net.offsets, net.widths, net.K, L, radial,
                       slope, u, d);
        graph = Graph{atom_offsets.data(), pair_offsets.data(), pair_atoms.data(), radial, slope, u, d, L, net.K + 1, net.F, 0};
    }

    // The representation: q [A, F] and mu [A, 3, F]. With `keep`, traces for the way back.
    void represent(bool keep) {
        const int64_t F = net.F;
        traces.resize(net.n_blocks);
        q = memory.take(A * F);
        mu = nullptr;
        Trace trace{};
        float *q_next = memory.take(A * F), *mu_next = nullptr;
        for (int64_t a = 0; a < A; ++a) std::memcpy(q + a * F, net.embedding + elements[a] * F, F * sizeof(float));
        for (int64_t b = 0; b < net.n_blocks; ++b) {
            const Block& block = net.blocks[b];
            if (keep || b == 0) {
                trace = Trace{memory.take(3 * A * F), nullptr,
                              memory.take(A * F),     memory.take(6 * A * F),
                              memory.take(2 * A * F), memory.take(A * F),
                              memory.take(A * F),     memory.take(3 * A * F)};
                mu_next = memory.take(3 * A * F);
            }
            float* activated = memory_for(activated_, A * F);
            if (b == 0) {
                for (int64_t a = 0; a < A; ++a)
                    std::memcpy(trace.x + 3 * a * F, net.context + 3 * elements[a] * F, 3 * F * sizeof(float));
            } else {
                linear(block.context[0], A, q, trace.hidden_x);
                silu(A * F, trace.hidden_x, activated);
                linear(block.context[1], A, activated, trace.x);
            }
            message_forward(&graph, 0, B, block.filters, q, trace.x, mu, q_next, mu_next);
            trace.mu = mu;
            linear(block.vectors, 3 * A, mu_next, trace.vw);
            mix_in(0, A, F, F, net.epsilon, q_next, trace.vw, trace.context, trace.dots);
            linear(block.mix[0], A, trace.context, trace.hidden_y);
            silu(A * F, trace.hidden_y, activated);
            linear(block.mix[1], A, activated, trace.y);
            if (keep || b == 0) mu = memory.take(3 * A * F);
            mix_out(0, A, F, q_next, mu_next, trace.y, trace.vw + F, trace.dots, q, mu);
            traces[b] = trace;
        }
    }

    // Times or energies of atoms, [A]; `hidden` keeps what is needed on the way back.
    const float* atom_values(std::vector<float*>& hidden) {
        const float* x = q;
        hidden.clear();
        for (int64_t k = 0; k < net.n_atom_layers; ++k) {
            const Dense& layer = net.atom_head[k];
            float* y = memory.take(A * layer.out);
            linear(layer, A, x, y);
            hidden.push_back(y);
            if (k + 1 < net.n_atom_layers) {
                float* activated = memory.take(A * layer.out);
                silu(A * layer.out, y, activated);
                x = activated;
            } else {
                x = y;
            }
        }
        return x;
    }

    // One vector per atom, [A, 3].
    const float* noise(const float* times) {
        const float *scalars = q, *vectors = mu;
        for (int64_t k = 0; k < net.n_gates; ++k) {
            const Gate& gate = net.noise_head[k];
            const int64_t in = gate.vectors.in, out = gate.vectors.out / 2, hidden = gate.first.out;
            float *vw = memory.take(6 * A * out), *context = memory.take(A * (in + out)), *dots = memory.take(A * out);
            linear(gate.vectors, 3 * A, vectors, vw);
            mix_in(0, A, in, out, net.tiny, scalars, vw, context, dots);
            float *first = memory.take(A * hidden), *second = memory.take(2 * A * out);
            linear(gate.first, A, context, first);
            if (gate.time)
                for (int64_t a = 0; a < A; ++a)
                    for (int64_t f = 0; f < hidden; ++f) first[a * hidden + f] += times[a] * gate.time[f];
            silu(A * hidden, first, first);
            linear(gate.second, A, first, second);
            float *s = memory.take(A * out), *v = memory.take(3 * A * out);
            for (int64_t a = 0; a < A; ++a)
                for (int64_t f = 0; f < out; ++f) {
                    s[a * out + f] = second[2 * a * out + f];
                    for (int c = 0; c < 3; ++c)
                        v[(3 * a + c) * out + f] = second[(2 * a + 1) * out + f] * vw[(6 * a + 2 * c + 1) * out + f];
                }
            if (k + 1 < net.n_gates) silu(A * out, s, s);
            scalars = s;
            vectors = v;
        }
        return vectors;
    }

    // Derivatives of the sum of energies by the positions, [A, 3].
    const float* position_gradient(const std::vector<float*>& hidden) {
        const int64_t F = net.F;
        float *g_q = memory.take(A * F), *g_mu = memory.take(3 * A * F), *g_mu_in = memory.take(3 * A * F);
        float *g_x = memory.take(3 * A * F), *g_y = memory.take(3 * A * F), *g_vw = memory.take(6 * A * F),
              *g_w = memory.take(3 * A * F);
        float *g_context = memory.take(2 * A * F), *g_dots = memory.take(A * F), *g_hidden = memory.take(A * F),
              *g_sum = memory.take(A * F);
        float *g_positions = memory.take(3 * A), *total = memory.take(3 * A);
        const float* above = nullptr;
        for (int64_t k = net.n_atom_layers - 1; k >= 0; --k) {
            const Dense& layer = net.atom_head[k];
            float* g = memory.take(A * layer.out);
            if (!above)
                std::fill(g, g + A * layer.out, 1.0f);
            else
                silu_backward(A * layer.out, hidden[k], above, g);
            float* below = k ? memory.take(A * layer.in) : g_q;
            linear_back(layer, A, g, false, below);
            above = below;
        }
        std::fill(g_mu, g_mu + 3 * A * F, 0.0f);
        std::fill(total, total + 3 * A, 0.0f);
        for (int64_t b = net.n_blocks - 1; b >= 0; --b) {
            const Block& block = net.blocks[b];
            const Trace& trace = traces[b];
            mix_out_backward(0, A, F, trace.y, trace.vw + F, trace.dots, g_q, g_mu, g_y, g_dots, g_w);
            linear_back(block.mix[1], A, g_y, false, g_hidden);
            silu_backward(A * F, trace.hidden_y, g_hidden, g_hidden);
            linear_back(block.mix[0], A, g_hidden, false, g_context);
            mix_in_backward(0, A, F, F, trace.vw, trace.context, g_context, g_dots, g_w, g_sum, g_vw);
            by_vectors(A * F, [&](auto at) { at.put(g_q, at.get(g_q) + at.get(g_sum)); });
            linear_back(block.vectors, 3 * A, g_vw, true, g_mu);
            message_backward(&graph, 0, B, block.filters, trace.x, trace.mu, g_q, g_mu, g_x, g_mu_in, g_positions, nullptr);
            for (int64_t i = 0; i < 3 * A; ++i) total[i] += g_positions[i];
            if (b == 0) break;
            linear_back(block.context[1], A, g_x, false, g_hidden);
            silu_backward(A * F, trace.hidden_x, g_hidden, g_hidden);
            linear_back(block.context[0], A, g_hidden, true, g_q);
            std::swap(g_mu, g_mu_in);
        }
        return total;
    }

    const Network& net;
    Memory& memory;
    int64_t B = 0, A = 0;
    std::vector<int64_t> atom_offsets, pair_offsets, places, elements;
    std::vector<int32_t> pair_atoms;
    std::vector<float> flat;
    Graph graph{};
    float *q = nullptr, *mu = nullptr;
    std::vector<Trace> traces;

  private:
    float* memory_for(float*& kept, int64_t count) { return kept ? kept : (kept = memory.take(count)); }
    float* activated_ = nullptr;
};

// Molecules [m0, m1) of a padded batch, `at_once` atoms or more at a time. Outputs that are null are not made: noise [B, N, 3]
// (not centred) with `times` [B] given, or, where that is null, the atoms' own; values [B, N] of the atom head; g_positions [B,
// N, 3], the derivatives of the sum of the values. Padding is left as it is.
void infer(const Network* network, int64_t m0, int64_t m1, int64_t N, int64_t at_once, const int64_t* numbers,
           const float* positions, const bool* mask, const float* times, float* noise, float* values, float* g_positions) {
    static thread_local Memory memory;
    std::vector<float> own_times;
    std::vector<float*> hidden;
    while (m0 < m1) {
        int64_t end = m0;
        for (int64_t atoms = 0; end < m1 && atoms < at_once; ++end) atoms += std::count(mask + end * N, mask + (end + 1) * N, true);
        memory.reset();
        Group group(*network, memory);
        group.gather(m0, end, N, numbers, positions, mask, g_positions != nullptr);
        group.represent(g_positions != nullptr);
        const float* by_atom = values || !times ? group.atom_values(hidden) : nullptr;
        if (values)
            for (int64_t a = 0; a < group.A; ++a) values[group.places[a]] = by_atom[a];
        if (noise) {
            if (times) {
                own_times.resize(group.A);
                for (int64_t a = 0; a < group.A; ++a) own_times[a] = times[group.places[a] / N];
            }
            const float* result = group.noise(times ? own_times.data() : by_atom);
            for (int64_t a = 0; a < group.A; ++a) std::memcpy(noise + 3 * group.places[a], result + 3 * a, 3 * sizeof(float));
        }
        if (g_positions) {
            const float* result = group.position_gradient(hidden);
            for (int64_t a = 0; a < group.A; ++a)
                std::memcpy(g_positions + 3 * group.places[a], result + 3 * a, 3 * sizeof(float));
        }
        m0 = end;
    }
}

}  // namespace
