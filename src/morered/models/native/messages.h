// Messages between atoms (PaiNN, Eqs. 7 and 8), all products by feature:
//
//     q_i  += sum_j w_q x_q_j                mu_i += sum_j w_r x_r_j u_ij + w_mu x_mu_j mu_j
//
// q scalars [A, F]; mu vectors [A, 3, F], null where all are still zero; x context [A, 3F] in the parts (q, r, mu); w filters in
// the same parts; u_ij the direction from i to j.
//
// Features are worked on in blocks of LANES. For one molecule and one block, the filters of all pairs fit into the first-level
// cache: they are made there from the radial functions, once for both directions, used, and never written to memory.
#pragma once
#include "pairs.h"

namespace {

// w[p, s, :] = sum_k g[p, k] weight[k, s, :] for R pairs; S of the three parts are made.
template <int R, int S>
inline void filter_rows(const float* g, int64_t ld, int64_t K1, const float* weight, Vec* w) {
    Vec acc[R][S];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 3
        for (int s = 0; s < S; ++s) acc[r][s] = Vec{};
    for (int64_t k = 0; k < K1; ++k) {
        Vec column[S];
#pragma GCC unroll 3
        for (int s = 0; s < S; ++s) column[s] = held(load(weight + (k * 3 + s) * LANES));
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const Vec b = all(g[r * ld + k]);
#pragma GCC unroll 3
            for (int s = 0; s < S; ++s) acc[r][s] += b * column[s];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 3
        for (int s = 0; s < S; ++s) w[r * S + s] = acc[r][s];
}

template <int S>
void filters(const float* g, int64_t ld, int64_t K1, int64_t P, const float* weight, Vec* w) {
    int64_t p = 0;
    constexpr int R = MANY_REGISTERS ? 8 : 4;
    for (; p + R <= P; p += R) filter_rows<R, S>(g + p * ld, ld, K1, weight, w + p * S);
    for (; p + 2 <= P; p += 2) filter_rows<2, S>(g + p * ld, ld, K1, weight, w + p * S);
    for (; p < P; ++p) filter_rows<1, S>(g + p * ld, ld, K1, weight, w + p * S);
}

// g_weight[k, s, :] += sum_p g[p, k] g_w[p, s, :] for R values of k.
template <int R, int S>
inline void weight_rows(const float* g, int64_t ld, int64_t P, const Vec* g_w, float* g_weight) {
    Vec acc[R][S];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 3
        for (int s = 0; s < S; ++s) acc[r][s] = load(g_weight + (r * 3 + s) * LANES);
    for (int64_t p = 0; p < P; ++p) {
        Vec row[S];
#pragma GCC unroll 3
        for (int s = 0; s < S; ++s) row[s] = held(g_w[p * S + s]);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const Vec b = all(g[p * ld + r]);
#pragma GCC unroll 3
            for (int s = 0; s < S; ++s) acc[r][s] += b * row[s];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 3
        for (int s = 0; s < S; ++s) store(g_weight + (r * 3 + s) * LANES, acc[r][s]);
}

template <int S>
void weight_gradient(const float* g, int64_t ld, int64_t K1, int64_t P, const Vec* g_w, float* g_weight) {
    int64_t k = 0;
    constexpr int R = MANY_REGISTERS ? 7 : 4;
    for (; k + R <= K1; k += R) weight_rows<R, S>(g + k, ld, P, g_w, g_weight + k * 3 * LANES);
    for (; k + 2 <= K1; k += 2) weight_rows<2, S>(g + k, ld, P, g_w, g_weight + k * 3 * LANES);
    for (; k < K1; ++k) weight_rows<1, S>(g + k, ld, P, g_w, g_weight + k * 3 * LANES);
}

// Atoms and pairs of molecule m, and its part of the arrays.
struct Molecule {
    int64_t first, row, atoms, P, F, L;  // row: of the first atom in arrays of features
    const int32_t* pair_atoms;
    const float *radial, *slope, *u, *d;

    Molecule(const Graph& graph, int64_t m) {
        first = graph.atom_offsets[m];
        row = first - graph.origin;
        atoms = graph.atom_offsets[m + 1] - first;
        const int64_t pair0 = graph.pair_offsets[m];
        P = graph.pair_offsets[m + 1] - pair0;
        F = graph.F;
        L = graph.L;
        pair_atoms = graph.pair_atoms + 2 * pair0;
        radial = graph.radial + L * pair0;
        slope = graph.slope ? graph.slope + L * pair0 : nullptr;
        u = graph.u + 3 * pair0;
        d = graph.d + pair0;
    }
    // Rows of N parts each, `array` [A, N, F]: the block at feature f copied to tile[atom * stride + part] and back. Rows of an
    // array lie a multiple of a large power of two apart, which a cache can hold only a few of; in a tile they lie side by side.
    template <int N>
    void get(const float* array, int64_t f, Vec* tile, int stride) const {
        for (int64_t i = 0; i < atoms; ++i)
            for (int n = 0; n < N; ++n) tile[i * stride + n] = load(array + ((row + i) * N + n) * F + f);
    }
    template <int N>
    void put(const Vec* tile, int stride, int64_t f, float* array) const {
        for (int64_t i = 0; i < atoms; ++i)
            for (int n = 0; n < N; ++n) store(array + ((row + i) * N + n) * F + f, tile[i * stride + n]);
    }
    void clear(Vec* tile, int64_t count) const {
        for (int64_t n = 0; n < count; ++n) tile[n] = Vec{};
    }
    // Calls f(pair, i, j, u) for all pairs, i < j counted within the molecule, u the direction from i to j.
    template <class Function>
    void each_pair(Function f) const {
        for (int64_t p = 0; p < P; ++p) f(p, pair_atoms[2 * p] - first, pair_atoms[2 * p + 1] - first, u + 3 * p);
    }
    // The same with the N sums of atom i, sums[i * N + n], held in registers while the pairs of one i, which lie in a row, last:
    // `f` gets them as its last argument. Stores are what these loops are bound by.
    template <int N, class Function>
    void each_pair_summing(Vec* sums, Function f) const {
        for (int64_t p = 0; p < P;) {
            const int32_t i = pair_atoms[2 * p];
            Vec own[N];
            for (int n = 0; n < N; ++n) own[n] = sums[(i - first) * N + n];
            for (; p < P && pair_atoms[2 * p] == i; ++p) f(p, i - first, pair_atoms[2 * p + 1] - first, u + 3 * p, own);
            for (int n = 0; n < N; ++n) sums[(i - first) * N + n] = own[n];
        }
    }
};

// S is 3, or 2 where mu is null: then the third part of x and w counts for nothing.
template <int S>
void message(const Graph& graph, int64_t m0, int64_t m1, const float* weight, const float* q, const float* x, const float* mu,
             float* q_out, float* mu_out) {
    constexpr int IN = 6, OUT = 4;  // x (3), mu (3); q, mu (3)
    for (int64_t m = m0; m < m1; ++m) {
        const Molecule molecule(graph, m);
        const int64_t n = molecule.atoms;
        Vec* w = vectors(molecule.P * S + n * (IN + OUT));
        Vec *in = w + molecule.P * S, *out = in + n * IN;
        for (int64_t f = 0; f < graph.F; f += LANES) {
            filters<S>(molecule.radial, molecule.L, graph.K1, molecule.P, weight + f * graph.K1 * 3, w);
            molecule.get<3>(x, f, in, IN);
            molecule.clear(out, n * OUT);
            molecule.get<1>(q, f, out, OUT);
            if (S == 3) {
                molecule.get<3>(mu, f, in + 3, IN);
                molecule.get<3>(mu, f, out + 1, OUT);
            }
            molecule.each_pair_summing<OUT>(out, [=](int64_t p, int64_t i, int64_t j, const float* u, Vec* out_i) {
                const Vec *wp = w + p * S, *at_i = in + i * IN, *at_j = in + j * IN;
                Vec* out_j = out + j * OUT;
                out_i[0] += wp[0] * at_j[0];
                out_j[0] += wp[0] * at_i[0];
                const Vec along_i = wp[1] * at_j[1], along_j = wp[1] * at_i[1];
                Vec to_i[3], to_j[3];
                for (int c = 0; c < 3; ++c) {
                    to_i[c] = out_i[1 + c] + along_i * u[c];
                    to_j[c] = out_j[1 + c] - along_j * u[c];
                }
                if (S == 3) {
                    const Vec carried_i = wp[S - 1] * at_j[2], carried_j = wp[S - 1] * at_i[2];
                    for (int c = 0; c < 3; ++c) {
                        to_i[c] += carried_i * at_j[3 + c];
                        to_j[c] += carried_j * at_i[3 + c];
                    }
                }
                for (int c = 0; c < 3; ++c) out_i[1 + c] = to_i[c], out_j[1 + c] = to_j[c];
            });
            molecule.put<1>(out, OUT, f, q_out);
            molecule.put<3>(out + 1, OUT, f, mu_out);
        }
    }
}

// POSITIONS: g_positions is wanted, else g_weight.
template <int S, bool POSITIONS>
void message_gradient(const Graph& graph, int64_t m0, int64_t m1, const float* weight, const float* x, const float* mu,
                      const float* g_q, const float* g_mu, float* g_x, float* g_mu_in, float* g_positions, float* g_weight) {
    constexpr int IN = 10, OUT = 6;  // x (3), mu (3), g_q, g_mu (3); g_x (3), g_mu_in (3)
    for (int64_t m = m0; m < m1; ++m) {
        const Molecule molecule(graph, m);
        const int64_t n = molecule.atoms, P = molecule.P;
        Vec* w = vectors(P * (2 * S + 4) + n * (IN + OUT));
        Vec *g_w = w + P * S, *g_d = g_w + P * S, *g_u = g_d + P, *in = g_u + 3 * P, *out = in + n * IN;
        if (POSITIONS) molecule.clear(g_d, 4 * P);
        for (int64_t f = 0; f < graph.F; f += LANES) {
            filters<S>(molecule.radial, molecule.L, graph.K1, P, weight + f * graph.K1 * 3, w);
            molecule.get<3>(x, f, in, IN);
            molecule.get<1>(g_q, f, in + 6, IN);
            molecule.get<3>(g_mu, f, in + 7, IN);
            molecule.clear(out, n * OUT);
            if (S == 3) {
                molecule.get<3>(mu, f, in + 3, IN);
                molecule.get<3>(g_mu, f, out + 3, OUT);
            }
            molecule.each_pair_summing<OUT>(out, [=](int64_t p, int64_t i, int64_t j, const float* u, Vec* out_i) {
                const Vec *wp = w + p * S, *at_i = in + i * IN, *at_j = in + j * IN;
                Vec *out_j = out + j * OUT, *g_wp = g_w + p * S;
                Vec along_i{}, along_j{};  // g_mu of an atom along the direction of the message that it received
                for (int c = 0; c < 3; ++c) {
                    along_i += at_i[7 + c] * u[c];
                    along_j -= at_j[7 + c] * u[c];
                }
                out_j[0] += wp[0] * at_i[6];
                out_i[0] += wp[0] * at_j[6];
                g_wp[0] = at_j[0] * at_i[6] + at_i[0] * at_j[6];
                out_j[1] += wp[1] * along_i;
                out_i[1] += wp[1] * along_j;
                g_wp[1] = at_j[1] * along_i + at_i[1] * along_j;
                if (S == 3) {
                    Vec carried_i{}, carried_j{};
                    for (int c = 0; c < 3; ++c) {
                        carried_i += at_i[7 + c] * at_j[3 + c];
                        carried_j += at_j[7 + c] * at_i[3 + c];
                    }
                    out_j[2] += wp[S - 1] * carried_i;
                    out_i[2] += wp[S - 1] * carried_j;
                    g_wp[S - 1] = at_j[2] * carried_i + at_i[2] * carried_j;
                    const Vec wx_i = wp[S - 1] * at_i[2], wx_j = wp[S - 1] * at_j[2];
                    for (int c = 0; c < 3; ++c) {
                        out_j[3 + c] += wx_j * at_i[7 + c];
                        out_i[3 + c] += wx_i * at_j[7 + c];
                    }
                }
                if (POSITIONS)
                    for (int c = 0; c < 3; ++c) g_u[3 * p + c] += wp[1] * (at_j[1] * at_i[7 + c] - at_i[1] * at_j[7 + c]);
            });
            molecule.put<3>(out, OUT, f, g_x);
            if (S == 3) molecule.put<3>(out + 3, OUT, f, g_mu_in);
            if (!POSITIONS) {
                weight_gradient<S>(molecule.radial, molecule.L, graph.K1, P, g_w, g_weight + f * graph.K1 * 3);
            } else {
                filters<S>(molecule.slope, molecule.L, graph.K1, P, weight + f * graph.K1 * 3, w);
                for (int64_t p = 0; p < P; ++p)
                    for (int s = 0; s < S; ++s) g_d[p] += g_w[p * S + s] * w[p * S + s];
            }
        }
        if (POSITIONS) {
            float* g = g_positions + 3 * molecule.row;
            for (int64_t i = 0; i < 3 * n; ++i) g[i] = 0;
            molecule.each_pair([=](int64_t p, int64_t i, int64_t j, const float* u) {
                float by_u[3], along = 0;
                for (int c = 0; c < 3; ++c) by_u[c] = sum(g_u[3 * p + c]), along += by_u[c] * u[c];
                const float by_d = sum(g_d[p]);
                for (int c = 0; c < 3; ++c) {
                    const float change = by_d * u[c] + (by_u[c] - along * u[c]) / molecule.d[p];
                    g[3 * i + c] -= change;
                    g[3 * j + c] += change;
                }
            });
        }
    }
}

// Derivatives of h_x . g_x + h_mu . g_mu_in + h_positions . g_positions by g_q, g_mu, x, mu and weight. (Those by the positions
// are not needed to train a force field.) A name with h in front is the derivative along h: hw of the filters, hu of the
// directions.
template <int S>
void message_second(const Graph& graph, int64_t m0, int64_t m1, const float* weight, const float* x, const float* mu,
                    const float* g_q, const float* g_mu, const float* h_x, const float* h_mu, const float* h_positions,
                    float* o_g_q, float* o_g_mu, float* o_x, float* o_mu, float* o_weight) {
    constexpr int IN = 16, OUT = 10;  // x (3), mu (3), g_q, g_mu (3), h_x (3), h_mu (3); o_x (3), o_mu (3), o_g_q, o_g_mu (3)
    static thread_local std::vector<float> h_pairs;
    for (int64_t m = m0; m < m1; ++m) {
        const Molecule molecule(graph, m);
        const int64_t n = molecule.atoms, P = molecule.P;
        Vec* w = vectors(P * 4 * S + n * (IN + OUT));
        Vec *hw = w + P * S, *o_w = hw + P * S, *o_hw = o_w + P * S, *in = o_hw + P * S, *out = in + n * IN;
        h_pairs.resize(4 * P);
        float* h_pair = h_pairs.data();  // by pair: hu (3), and the distance's
        const float* h = h_positions + 3 * molecule.row;
        molecule.each_pair([=](int64_t p, int64_t i, int64_t j, const float* u) {
            float along = 0;
            for (int c = 0; c < 3; ++c) along += (h[3 * j + c] - h[3 * i + c]) * u[c];
            for (int c = 0; c < 3; ++c) h_pair[4 * p + c] = (h[3 * j + c] - h[3 * i + c] - along * u[c]) / molecule.d[p];
            h_pair[4 * p + 3] = along;
        });
        for (int64_t f = 0; f < graph.F; f += LANES) {
            const float* weights = weight + f * graph.K1 * 3;
            filters<S>(molecule.radial, molecule.L, graph.K1, P, weights, w);
            filters<S>(molecule.slope, molecule.L, graph.K1, P, weights, hw);
            molecule.get<3>(x, f, in, IN);
            molecule.get<1>(g_q, f, in + 6, IN);
            molecule.get<3>(g_mu, f, in + 7, IN);
            molecule.get<3>(h_x, f, in + 10, IN);
            molecule.clear(out, n * OUT);
            if (S == 3) {
                molecule.get<3>(mu, f, in + 3, IN);
                molecule.get<3>(h_mu, f, in + 13, IN);
                molecule.get<3>(h_mu, f, out + 7, OUT);
            }
            molecule.each_pair_summing<OUT>(out, [=](int64_t p, int64_t first, int64_t second, const float* u, Vec* out_first) {
                const float *hu = h_pair + 4 * p, hd = h_pair[4 * p + 3];
                const Vec* wp = w + p * S;
                Vec* hwp = hw + p * S;
                Vec sum_w[S], sum_hw[S];
                for (int s = 0; s < S; ++s) hwp[s] *= hd, sum_w[s] = sum_hw[s] = Vec{};
                Vec* out_second = out + second * OUT;
#pragma GCC unroll 2
                for (int side = 0; side < 2; ++side) {  // the message from j to i
                    const Vec *at_i = in + (side ? second : first) * IN, *at_j = in + (side ? first : second) * IN;
                    Vec *out_i = side ? out_second : out_first, *out_j = side ? out_first : out_second;
                    const float sign = side ? -1.0f : 1.0f;
                    Vec along{}, h_along{};
                    for (int c = 0; c < 3; ++c) {
                        along += at_i[7 + c] * (sign * u[c]);
                        h_along += at_i[7 + c] * (sign * hu[c]);
                    }
                    out_i[6] += hwp[0] * at_j[0] + wp[0] * at_j[10];
                    out_j[0] += hwp[0] * at_i[6];
                    sum_w[0] += at_j[10] * at_i[6];
                    sum_hw[0] += at_j[0] * at_i[6];
                    const Vec wx = wp[1] * at_j[1], hwx = hwp[1] * at_j[1] + wp[1] * at_j[11];
                    for (int c = 0; c < 3; ++c) out_i[7 + c] += hwx * (sign * u[c]) + wx * (sign * hu[c]);
                    out_j[1] += hwp[1] * along + wp[1] * h_along;
                    sum_w[1] += at_j[11] * along + at_j[1] * h_along;
                    sum_hw[1] += at_j[1] * along;
                    if (S == 3) {
                        constexpr int s = S - 1;
                        Vec carried{}, h_carried{};
                        const Vec wy = wp[s] * at_j[2], hwy = hwp[s] * at_j[2] + wp[s] * at_j[12];
                        for (int c = 0; c < 3; ++c) {
                            carried += at_i[7 + c] * at_j[3 + c];
                            h_carried += at_i[7 + c] * at_j[13 + c];
                            out_i[7 + c] += hwy * at_j[3 + c] + wy * at_j[13 + c];
                            out_j[3 + c] += hwy * at_i[7 + c];
                        }
                        out_j[2] += hwp[s] * carried + wp[s] * h_carried;
                        sum_w[s] += at_j[12] * carried + at_j[2] * h_carried;
                        sum_hw[s] += at_j[2] * carried;
                    }
                }
                for (int s = 0; s < S; ++s) o_w[p * S + s] = sum_w[s], o_hw[p * S + s] = sum_hw[s] * hd;
            });
            molecule.put<3>(out, OUT, f, o_x);
            molecule.put<1>(out + 6, OUT, f, o_g_q);
            molecule.put<3>(out + 7, OUT, f, o_g_mu);
            if (S == 3) molecule.put<3>(out + 3, OUT, f, o_mu);
            weight_gradient<S>(molecule.radial, molecule.L, graph.K1, P, o_w, o_weight + f * graph.K1 * 3);
            weight_gradient<S>(molecule.slope, molecule.L, graph.K1, P, o_hw, o_weight + f * graph.K1 * 3);
        }
    }
}

// Filter weights [3F, K] and biases [3F] <-> [F / LANES, K + 1, 3, LANES], in which the kernels read them in order.
void pack_filters(const float* weight, const float* bias, int64_t F, int64_t K, float* packed) {
    for (int64_t f = 0; f < F; ++f)
        for (int64_t k = 0; k <= K; ++k)
            for (int64_t s = 0; s < 3; ++s) {
                const int64_t row = s * F + f;
                packed[((f / LANES * (K + 1) + k) * 3 + s) * LANES + f % LANES] = k < K ? weight[row * K + k] : bias[row];
            }
}

void unpack_filters(const float* packed, int64_t F, int64_t K, float* weight, float* bias) {
    for (int64_t f = 0; f < F; ++f)
        for (int64_t k = 0; k <= K; ++k)
            for (int64_t s = 0; s < 3; ++s) {
                const int64_t row = s * F + f;
                (k < K ? weight[row * K + k] : bias[row]) = packed[((f / LANES * (K + 1) + k) * 3 + s) * LANES + f % LANES];
            }
}

void message_forward(const Graph* graph, int64_t m0, int64_t m1, const float* weight, const float* q, const float* x,
                     const float* mu, float* q_out, float* mu_out) {
    (mu ? message<3> : message<2>)(*graph, m0, m1, weight, q, x, mu, q_out, mu_out);
}

// Derivatives by x, mu, and by the positions or, where g_positions is null, by the weight (added to what is there).
void message_backward(const Graph* graph, int64_t m0, int64_t m1, const float* weight, const float* x, const float* mu,
                      const float* g_q, const float* g_mu, float* g_x, float* g_mu_in, float* g_positions, float* g_weight) {
    auto run = g_positions ? (mu ? message_gradient<3, true> : message_gradient<2, true>)
                           : (mu ? message_gradient<3, false> : message_gradient<2, false>);
    run(*graph, m0, m1, weight, x, mu, g_q, g_mu, g_x, g_mu_in, g_positions, g_weight);
}

void message_backward_twice(const Graph* graph, int64_t m0, int64_t m1, const float* weight, const float* x, const float* mu,
                            const float* g_q, const float* g_mu, const float* h_x, const float* h_mu, const float* h_positions,
                            float* o_g_q, float* o_g_mu, float* o_x, float* o_mu, float* o_weight) {
    (mu ? message_second<3> : message_second<2>)(*graph, m0, m1, weight, x, mu, g_q, g_mu, h_x, h_mu, h_positions, o_g_q, o_g_mu,
                                                 o_x, o_mu, o_weight);
}

}  // namespace
