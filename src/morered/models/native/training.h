// The representation of a flat batch with gradients by its weights, in two calls: there, and back.
//
// As in inference, a few molecules at a time go through all layers; what they leave for the way back lies in arrays of the whole
// batch.
#pragma once
#include "network.h"

namespace {

// What is left of the atoms from a on.
inline Left from(const Left& left, int64_t a, int64_t F) {
    const auto at = [=](float* p, int64_t rows) { return p ? p + rows * a * F : nullptr; };
    return {at(left.q, 1),  at(left.mu, 3),      at(left.x, 3),    at(left.hidden_x, 1), at(left.sent, 3),
            at(left.vw, 6), at(left.context, 2), at(left.dots, 1), at(left.hidden_y, 1), at(left.y, 3)};
}

// Calls f(first molecule, last + 1, first atom, atoms) for groups of `at_once` atoms or more.
template <class Function>
void by_groups(const Graph& graph, int64_t m0, int64_t m1, int64_t at_once, Function f) {
    const int64_t* offsets = graph.atom_offsets;
    while (m0 < m1) {
        int64_t end = m0 + 1;
        while (end < m1 && offsets[end] - offsets[m0] < at_once) ++end;
        f(m0, end, offsets[m0], offsets[end] - offsets[m0]);
        m0 = end;
    }
}

// q0 [A, F] and x0 [A, 3F] come in with the first block's Left (q, x); q_out [A, F] and mu_out [A, 3, F] go out.
void represent_forward(const Network* network, const Graph* whole, int64_t m0, int64_t m1, int64_t at_once, const Left* left,
                       float* q_out, float* mu_out) {
    static thread_local Memory memory;
    const int64_t F = network->F;
    by_groups(*whole, m0, m1, at_once, [=](int64_t first, int64_t end, int64_t a, int64_t n) {
        Graph graph = *whole;
        graph.origin = a;
        memory.reset();
        float *activated = memory.take(n * F), *q_sent = memory.take(n * F);
        for (int64_t b = 0; b < network->n_blocks; ++b) {
            const Block& block = network->blocks[b];
            const Left here = from(left[b], a, F);
            const bool last = b + 1 == network->n_blocks;
            const Left next = last ? Left{} : from(left[b + 1], a, F);
            if (b > 0) {
                linear(block.context[0], n, here.q, here.hidden_x);
                silu(n * F, here.hidden_x, activated);
                linear(block.context[1], n, activated, here.x);
            }
            message_forward(&graph, first, end, block.filters, here.q, here.x, b ? here.mu : nullptr, q_sent, here.sent);
            linear(block.vectors, 3 * n, here.sent, here.vw);
            mix_in(0, n, F, F, network->epsilon, q_sent, here.vw, here.context, here.dots);
            linear(block.mix[0], n, here.context, here.hidden_y);
            silu(n * F, here.hidden_y, activated);
            linear(block.mix[1], n, activated, here.y);
            mix_out(0, n, F, q_sent, here.sent, here.y, here.vw + F, here.dots, last ? q_out + a * F : next.q,
                    last ? mu_out + 3 * a * F : next.mu);
        }
    });
}

// g_q0 [A, F] and g_x0 [A, 3F] go out; derivatives by weights are added to those of `gradients`.
void represent_backward(const Network* network, const Graph* whole, int64_t m0, int64_t m1, int64_t at_once, const Left* left,
                        const float* g_q_out, const float* g_mu_out, float* g_q0, float* g_x0, const Gradients* gradients) {
    static thread_local Memory memory;
    const int64_t F = network->F;
    by_groups(*whole, m0, m1, at_once, [=](int64_t first, int64_t end, int64_t a, int64_t n) {
        Graph graph = *whole;
        graph.origin = a;
        memory.reset();
        float *g_q = g_q0 + a * F, *g_mu = memory.take(3 * n * F), *g_mu_in = memory.take(3 * n * F),
              *g_x = memory.take(3 * n * F);
        float *g_y = memory.take(3 * n * F), *g_vw = memory.take(6 * n * F), *g_w = memory.take(3 * n * F),
              *g_dots = memory.take(n * F);
        float *g_context = memory.take(2 * n * F), *g_hidden = memory.take(n * F), *g_sum = memory.take(n * F);
        float* activated = memory.take(n * F);
        std::memcpy(g_q, g_q_out + a * F, n * F * sizeof(float));
        std::memcpy(g_mu, g_mu_out + 3 * a * F, 3 * n * F * sizeof(float));
        for (int64_t b = network->n_blocks - 1; b >= 0; --b) {
            const Block& block = network->blocks[b];
            const Gradients& g = gradients[b];
            const Left here = from(left[b], a, F);
            mix_out_backward(0, n, F, here.y, here.vw + F, here.dots, g_q, g_mu, g_y, g_dots, g_w);
            silu(n * F, here.hidden_y, activated);
            linear_weights(block.mix[1], n, g_y, activated, g.mix[1], g.mix_bias[1]);
            linear_back(block.mix[1], n, g_y, false, g_hidden);
            silu_backward(n * F, here.hidden_y, g_hidden, g_hidden);
            linear_weights(block.mix[0], n, g_hidden, here.context, g.mix[0], g.mix_bias[0]);
            linear_back(block.mix[0], n, g_hidden, false, g_context);
            mix_in_backward(0, n, F, F, here.vw, here.context, g_context, g_dots, g_w, g_sum, g_vw);
            by_vectors(n * F, [&](auto at) { at.put(g_q, at.get(g_q) + at.get(g_sum)); });
            linear_weights(block.vectors, 3 * n, g_vw, here.sent, g.vectors, nullptr);
            linear_back(block.vectors, 3 * n, g_vw, true, g_mu);
            message_backward(&graph, first, end, block.filters, here.x, b ? here.mu : nullptr, g_q, g_mu,
                             b ? g_x : g_x0 + 3 * a * F, g_mu_in, nullptr, g.filters);
            if (b == 0) break;
            silu(n * F, here.hidden_x, activated);
            linear_weights(block.context[1], n, g_x, activated, g.context[1], g.context_bias[1]);
            linear_back(block.context[1], n, g_x, false, g_hidden);
            silu_backward(n * F, here.hidden_x, g_hidden, g_hidden);
            linear_weights(block.context[0], n, g_hidden, here.q, g.context[0], g.context_bias[0]);
            linear_back(block.context[0], n, g_hidden, true, g_q);
            std::swap(g_mu, g_mu_in);
        }
    });
}

}  // namespace
