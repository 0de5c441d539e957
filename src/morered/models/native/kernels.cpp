// PaiNN on a CPU: what lies between its matrix products, each step one pass over memory, with first and second derivatives.
//
// Molecules of any sizes lie one after another without padding. Shapes: B molecules, A atoms, P pairs, F features (a multiple of
// 16), K radial functions, L = K + 1 rounded up to a multiple of 8. All arrays are contiguous, rows in the order of their indices.
//
// A pair (i < j) of atoms within the cutoff is kept once: its filters are the same in both directions, its direction has the other
// sign. Features are worked on in blocks of 16 (one AVX-512 register); for one molecule and one block, the filters of all pairs fit
// into the first-level cache, are made there from the radial functions, used, and never written to memory.
//
// Names: q scalars [A, F], mu vectors [A, 3, F] (null where all are still zero), x context [A, 3F] in the parts (q, r, mu), w filters in
// the same parts, u directions. `g_` is the derivative of the loss (or energy) by what follows; `h_` is the derivative of a second
// loss by such a `g_`. Messages from j to i (PaiNN, Eqs. 7 and 8), all products by feature:
//
//     q_i  += sum_j w_q x_q_j                mu_i += sum_j w_r x_r_j u_ij + w_mu x_mu_j mu_j
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

using Vec = float __attribute__((vector_size(64), aligned(4), may_alias));
using Int = int32_t __attribute__((vector_size(64)));
constexpr int LANES = 16;
constexpr float PI = 3.14159265358979323846f;

inline Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
inline Vec all(float x) { return Vec{} + x; }
inline float sum(Vec x) {
    float s = 0;
    for (int l = 0; l < LANES; ++l) s += x[l];
    return s;
}

// exp to about one unit in the last place (Cephes' polynomial); the exponent is clamped, so that nothing overflows.
inline Vec exponential(Vec x) {
    x = x < -87.0f ? all(-87.0f) : x;
    x = x > 88.0f ? all(88.0f) : x;
    const Vec shifted = x * 1.44269504f + 12582912.0f;  // rounds to an integer in the low bits
    const Vec n = shifted - 12582912.0f;
    const Vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
    Vec y = all(1.9875691500e-4f);
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    const Int power = (__builtin_convertvector(n, Int) + 127) << 23;
    return y * reinterpret_cast<const Vec&>(power);
}

// Runs f over n numbers, 16 at a time and the rest one by one.
template <int N>
struct Place {
    int64_t at;
    Vec get(const float* p) const {
        if constexpr (N == LANES) return load(p + at);
        return all(p[at]);
    }
    void put(float* p, Vec v) const {
        if constexpr (N == LANES) store(p + at, v);
        else p[at] = v[0];
    }
};
template <class Function>
inline void by_vectors(int64_t n, Function f) {
    int64_t at = 0;
    for (; at + LANES <= n; at += LANES) f(Place<LANES>{at});
    for (; at < n; ++at) f(Place<1>{at});
}

inline Vec sigmoid(Vec x) { return 1.0f / (1.0f + exponential(-x)); }

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
        for (int s = 0; s < S; ++s) column[s] = load(weight + (k * 3 + s) * LANES);
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
    for (; p + 8 <= P; p += 8) filter_rows<8, S>(g + p * ld, ld, K1, weight, w + p * S);
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
        for (int s = 0; s < S; ++s) row[s] = g_w[p * S + s];
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
    for (; k + 7 <= K1; k += 7) weight_rows<7, S>(g + k, ld, P, g_w, g_weight + k * 3 * LANES);
    for (; k + 2 <= K1; k += 2) weight_rows<2, S>(g + k, ld, P, g_w, g_weight + k * 3 * LANES);
    for (; k < K1; ++k) weight_rows<1, S>(g + k, ld, P, g_w, g_weight + k * 3 * LANES);
}

// What every message kernel works on.
struct Graph {
    const int64_t* atom_offsets;  // [B + 1]
    const int64_t* pair_offsets;  // [B + 1]
    const int32_t* pair_atoms;    // [P, 2]
    const float* radial;          // [P, L] K Gaussians times the cutoff, the cutoff, zeros
    const float* slope;           // [P, L] its derivative by the distance, or null
    const float* u;               // [P, 3]
    const float* d;               // [P]
    int64_t L, K1, F;
};

// `count` vectors, aligned, that stay valid until the thread asks again.
inline Vec* vectors(int64_t count) {
    static thread_local std::vector<float> scratch;
    if (int64_t(scratch.size()) < (count + 1) * LANES) scratch.resize((count + 1) * LANES);
    const auto address = reinterpret_cast<uintptr_t>(scratch.data());
    return reinterpret_cast<Vec*>((address + 63) / 64 * 64);
}

// Atoms and pairs of molecule m, and its part of the arrays.
struct Molecule {
    int64_t first, atoms, P, F, L;
    const int32_t* pair_atoms;
    const float *radial, *slope, *u, *d;

    Molecule(const Graph& graph, int64_t m) {
        first = graph.atom_offsets[m];
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
    // Rows of N parts each, `array` [A, N, F]: the block at feature f copied to tile[atom * stride + part] and back. Rows of an array
    // lie a multiple of a large power of two apart, which a cache can hold only a few of; in a tile they lie side by side.
    template <int N>
    void get(const float* array, int64_t f, Vec* tile, int stride) const {
        for (int64_t i = 0; i < atoms; ++i)
            for (int n = 0; n < N; ++n) tile[i * stride + n] = load(array + ((first + i) * N + n) * F + f);
    }
    template <int N>
    void put(const Vec* tile, int stride, int64_t f, float* array) const {
        for (int64_t i = 0; i < atoms; ++i)
            for (int n = 0; n < N; ++n) store(array + ((first + i) * N + n) * F + f, tile[i * stride + n]);
    }
    void clear(Vec* tile, int64_t count) const {
        for (int64_t n = 0; n < count; ++n) tile[n] = Vec{};
    }
    // Calls f(pair, i, j, u) for all pairs, i < j counted within the molecule, u the direction from i to j.
    template <class Function>
    void each_pair(Function f) const {
        for (int64_t p = 0; p < P; ++p) f(p, pair_atoms[2 * p] - first, pair_atoms[2 * p + 1] - first, u + 3 * p);
    }
    // The same with the N sums of atom i, sums[i * N + n], held in registers while the pairs of one i, which lie in a row, last: `f` gets
    // them as its last argument. Stores are what these loops are bound by.
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

// WEIGHT: g_weight is wanted. POSITIONS: g_positions is wanted.
template <int S, bool WEIGHT, bool POSITIONS>
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
            if (WEIGHT) weight_gradient<S>(molecule.radial, molecule.L, graph.K1, P, g_w, g_weight + f * graph.K1 * 3);
            if (POSITIONS) {
                filters<S>(molecule.slope, molecule.L, graph.K1, P, weight + f * graph.K1 * 3, w);
                for (int64_t p = 0; p < P; ++p)
                    for (int s = 0; s < S; ++s) g_d[p] += g_w[p * S + s] * w[p * S + s];
            }
        }
        if (POSITIONS) {
            float* g = g_positions + 3 * molecule.first;
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

// Derivatives of h_x . g_x + h_mu . g_mu_in + h_positions . g_positions by g_q, g_mu, x, mu and weight. (Those by the positions are not
// needed to train a force field.) A name with h in front is the derivative along h: hw of the filters, hu of the directions.
template <int S>
void message_second(const Graph& graph, int64_t m0, int64_t m1, const float* weight, const float* x, const float* mu,
                    const float* g_q, const float* g_mu, const float* h_x, const float* h_mu, const float* h_positions, float* o_g_q,
                    float* o_g_mu, float* o_x, float* o_mu, float* o_weight) {
    constexpr int IN = 16, OUT = 10;  // x (3), mu (3), g_q, g_mu (3), h_x (3), h_mu (3); o_x (3), o_mu (3), o_g_q, o_g_mu (3)
    static thread_local std::vector<float> h_pairs;
    for (int64_t m = m0; m < m1; ++m) {
        const Molecule molecule(graph, m);
        const int64_t n = molecule.atoms, P = molecule.P;
        Vec* w = vectors(P * 4 * S + n * (IN + OUT));
        Vec *hw = w + P * S, *o_w = hw + P * S, *o_hw = o_w + P * S, *in = o_hw + P * S, *out = in + n * IN;
        h_pairs.resize(4 * P);
        float* h_pair = h_pairs.data();  // by pair: hu (3), and the distance's
        const float* h = h_positions + 3 * molecule.first;
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

}  // namespace

extern "C" {

// Pairs within the cutoff of molecules: returns P, fills pair_atoms [P, 2] and pair_offsets [B + 1].
int64_t find_pairs(const float* positions, const int64_t* atom_offsets, int64_t B, float cutoff, int32_t* pair_atoms,
                   int64_t* pair_offsets) {
    int64_t P = 0;
    pair_offsets[0] = 0;
    for (int64_t m = 0; m < B; ++m) {
        for (int64_t i = atom_offsets[m]; i < atom_offsets[m + 1]; ++i)
            for (int64_t j = i + 1; j < atom_offsets[m + 1]; ++j) {
                float square = 0;
                for (int c = 0; c < 3; ++c) {
                    const float difference = positions[3 * j + c] - positions[3 * i + c];
                    square += difference * difference;
                }
                if (!(square >= cutoff * cutoff)) {  // so that a NaN is passed on, not passed over
                    pair_atoms[2 * P] = int32_t(i);
                    pair_atoms[2 * P + 1] = int32_t(j);
                    ++P;
                }
            }
        pair_offsets[m + 1] = P;
    }
    return P;
}

// Radial functions [P, L], their slopes (or null), directions [P, 3] and distances [P] of pairs. L is at most 64.
void describe_pairs(const float* positions, const int32_t* pair_atoms, int64_t P, float cutoff, float softening, const float* offsets,
                    const float* widths, int64_t K, int64_t L, float* radial, float* slope, float* u, float* d) {
    Vec centre[4], inverse[4];
    for (int64_t k = 0; k < 4 * LANES; ++k) {
        centre[k / LANES][k % LANES] = k < K ? offsets[k] : 0.0f;
        inverse[k / LANES][k % LANES] = k < K ? 1.0f / widths[k] : 0.0f;
    }
    for (int64_t p = 0; p < P; ++p) {
        const int32_t i = pair_atoms[2 * p], j = pair_atoms[2 * p + 1];
        float vector[3], square = softening * softening;
        for (int c = 0; c < 3; ++c) vector[c] = positions[3 * j + c] - positions[3 * i + c], square += vector[c] * vector[c];
        const float distance = std::sqrt(square), near = distance > cutoff ? cutoff : distance;
        d[p] = distance;
        for (int c = 0; c < 3; ++c) u[3 * p + c] = vector[c] / distance;
        const float angle = near * (PI / cutoff), within = 0.5f * (std::cos(angle) + 1.0f);
        const float falling = distance < cutoff ? -0.5f * (PI / cutoff) * std::sin(angle) : 0.0f;
        alignas(64) float values[4 * LANES], slopes[4 * LANES];
        for (int64_t k = 0; k < K; k += LANES) {
            const Vec z = (near - centre[k / LANES]) * inverse[k / LANES], gaussian = exponential(-0.5f * z * z);
            store(values + k, gaussian * within);
            store(slopes + k, gaussian * (falling - within * z * inverse[k / LANES]));
        }
        values[K] = within;
        slopes[K] = falling;
        for (int64_t k = K + 1; k < L; ++k) values[k] = slopes[k] = 0;
        for (int64_t k = 0; k < L; ++k) radial[p * L + k] = values[k];
        if (slope)
            for (int64_t k = 0; k < L; ++k) slope[p * L + k] = slopes[k];
    }
}

// Filter weights [3F, K] and biases [3F] <-> [F / 16, K + 1, 3, 16], in which the kernels read them in order.
void pack_weight(const float* weight, const float* bias, int64_t F, int64_t K, float* packed) {
    for (int64_t f = 0; f < F; ++f)
        for (int64_t k = 0; k <= K; ++k)
            for (int64_t s = 0; s < 3; ++s) {
                const int64_t row = s * F + f;
                packed[((f / LANES * (K + 1) + k) * 3 + s) * LANES + f % LANES] = k < K ? weight[row * K + k] : bias[row];
            }
}

void unpack_weight(const float* packed, int64_t F, int64_t K, float* weight, float* bias) {
    for (int64_t f = 0; f < F; ++f)
        for (int64_t k = 0; k <= K; ++k)
            for (int64_t s = 0; s < 3; ++s) {
                const int64_t row = s * F + f;
                (k < K ? weight[row * K + k] : bias[row]) = packed[((f / LANES * (K + 1) + k) * 3 + s) * LANES + f % LANES];
            }
}

void message_forward(const Graph* graph, int64_t m0, int64_t m1, const float* weight, const float* q, const float* x, const float* mu,
                     float* q_out, float* mu_out) {
    (mu ? message<3> : message<2>)(*graph, m0, m1, weight, q, x, mu, q_out, mu_out);
}

// Derivatives by x, mu, and, where they are not null, by the weight (added to what is there) or the positions.
void message_backward(const Graph* graph, int64_t m0, int64_t m1, const float* weight, const float* x, const float* mu,
                      const float* g_q, const float* g_mu, float* g_x, float* g_mu_in, float* g_positions, float* g_weight) {
    auto run = g_weight ? (g_positions ? (mu ? message_gradient<3, true, true> : message_gradient<2, true, true>)
                                       : (mu ? message_gradient<3, true, false> : message_gradient<2, true, false>))
                        : (g_positions ? (mu ? message_gradient<3, false, true> : message_gradient<2, false, true>)
                                       : (mu ? message_gradient<3, false, false> : message_gradient<2, false, false>));
    run(*graph, m0, m1, weight, x, mu, g_q, g_mu, g_x, g_mu_in, g_positions, g_weight);
}

void message_backward_twice(const Graph* graph, int64_t m0, int64_t m1, const float* weight, const float* x, const float* mu,
                            const float* g_q, const float* g_mu, const float* h_x, const float* h_mu, const float* h_positions,
                            float* o_g_q, float* o_g_mu, float* o_x, float* o_mu, float* o_weight) {
    (mu ? message_second<3> : message_second<2>)(*graph, m0, m1, weight, x, mu, g_q, g_mu, h_x, h_mu, h_positions, o_g_q, o_g_mu, o_x,
                                                 o_mu, o_weight);
}

// Mixing, first half: vw [A, 3, 2O] holds V and W side by side. context [A, F + O] = (q, |V|), dots [A, O] = V . W.
void mix_in(int64_t a0, int64_t a1, int64_t F, int64_t O, float epsilon, const float* q, const float* vw, float* context, float* dots) {
    for (int64_t a = a0; a < a1; ++a) {
        const float *__restrict v = vw + 6 * O * a, *__restrict w = v + O, *__restrict qa = q + F * a;
        float *__restrict scalars = context + (F + O) * a, *__restrict lengths = scalars + F, *__restrict dot = dots + O * a;
        for (int64_t f = 0; f < F; ++f) scalars[f] = qa[f];
        for (int64_t f = 0; f < O; ++f) {
            float square = epsilon, product = 0;
            for (int c = 0; c < 3; ++c) {
                square += v[2 * O * c + f] * v[2 * O * c + f];
                product += v[2 * O * c + f] * w[2 * O * c + f];
            }
            lengths[f] = std::sqrt(square);
            dot[f] = product;
        }
    }
}

// g_w [A, 3, O] is what W gets from the second half.
void mix_in_backward(int64_t a0, int64_t a1, int64_t F, int64_t O, const float* vw, const float* context, const float* g_context,
                     const float* g_dots, const float* g_w, float* g_q, float* g_vw) {
    for (int64_t a = a0; a < a1; ++a) {
        const float *__restrict v = vw + 6 * O * a, *__restrict w = v + O, *__restrict lengths = context + (F + O) * a + F;
        const float *__restrict gs = g_context + (F + O) * a, *__restrict gl = gs + F, *__restrict gd = g_dots + O * a;
        const float* __restrict gw = g_w + 3 * O * a;
        float *__restrict gq = g_q + F * a, *__restrict out_v = g_vw + 6 * O * a, *__restrict out_w = out_v + O;
        for (int64_t f = 0; f < F; ++f) gq[f] = gs[f];
        for (int64_t f = 0; f < O; ++f) {
            const float slope = gl[f] / lengths[f];
            for (int c = 0; c < 3; ++c) {
                out_v[2 * O * c + f] = slope * v[2 * O * c + f] + gd[f] * w[2 * O * c + f];
                out_w[2 * O * c + f] = gd[f] * v[2 * O * c + f] + gw[O * c + f];
            }
        }
    }
}

// Derivatives of h_q . g_q + h_vw . g_vw by vw, g_context, g_dots and g_w.
void mix_in_backward_twice(int64_t a0, int64_t a1, int64_t F, int64_t O, const float* vw, const float* context, const float* g_context,
                           const float* g_dots, const float* h_q, const float* h_vw, float* o_vw, float* o_g_context,
                           float* o_g_dots, float* o_g_w) {
    for (int64_t a = a0; a < a1; ++a) {
        const float *__restrict v = vw + 6 * O * a, *__restrict w = v + O, *__restrict lengths = context + (F + O) * a + F;
        const float *__restrict gl = g_context + (F + O) * a + F, *__restrict gd = g_dots + O * a;
        const float *__restrict hq = h_q + F * a, *__restrict hv = h_vw + 6 * O * a, *__restrict hw = hv + O;
        float *__restrict ov = o_vw + 6 * O * a, *__restrict ow = ov + O, *__restrict os = o_g_context + (F + O) * a;
        float *__restrict ol = os + F, *__restrict od = o_g_dots + O * a, *__restrict ogw = o_g_w + 3 * O * a;
        for (int64_t f = 0; f < F; ++f) os[f] = hq[f];
        for (int64_t f = 0; f < O; ++f) {
            float along = 0, crossed = 0;
            for (int c = 0; c < 3; ++c) {
                const int64_t at = 2 * O * c + f;
                along += hv[at] * v[at];
                crossed += hv[at] * w[at] + hw[at] * v[at];
            }
            const float inverse = 1.0f / lengths[f], slope = gl[f] * inverse, bend = slope * along * inverse * inverse;
            for (int c = 0; c < 3; ++c) {
                const int64_t at = 2 * O * c + f;
                ov[at] = slope * hv[at] - bend * v[at] + gd[f] * hw[at];
                ow[at] = gd[f] * hv[at];
                ogw[O * c + f] = hw[at];
            }
            ol[f] = along * inverse;
            od[f] = crossed;
        }
    }
}

// Mixing, second half: y [A, 3F] in the parts (q, mu, q-mu). q_out = q + y_q + y_qmu dots, mu_out = mu + y_mu W. w_rows points to the
// first W in vw.
void mix_out(int64_t a0, int64_t a1, int64_t F, const float* q, const float* mu, const float* y, const float* w_rows, const float* dots, float* q_out,
             float* mu_out) {
    for (int64_t a = a0; a < a1; ++a) {
        const float *__restrict y0 = y + 3 * F * a, *__restrict y1 = y0 + F, *__restrict y2 = y1 + F, *__restrict w = w_rows + 6 * F * a;
        const float *__restrict qa = q + F * a, *__restrict dot = dots + F * a, *__restrict m = mu + 3 * F * a;
        float *__restrict qo = q_out + F * a, *__restrict mo = mu_out + 3 * F * a;
        for (int64_t f = 0; f < F; ++f) qo[f] = qa[f] + y0[f] + y2[f] * dot[f];
        for (int c = 0; c < 3; ++c)
            for (int64_t f = 0; f < F; ++f) mo[F * c + f] = m[F * c + f] + y1[f] * w[2 * F * c + f];
    }
}

void mix_out_backward(int64_t a0, int64_t a1, int64_t F, const float* y, const float* w_rows, const float* dots, const float* g_q, const float* g_mu,
                      float* g_y, float* g_dots, float* g_w) {
    for (int64_t a = a0; a < a1; ++a) {
        const float *__restrict y1 = y + 3 * F * a + F, *__restrict y2 = y1 + F, *__restrict w = w_rows + 6 * F * a;
        const float *__restrict dot = dots + F * a, *__restrict gq = g_q + F * a, *__restrict gm = g_mu + 3 * F * a;
        float *__restrict gy0 = g_y + 3 * F * a, *__restrict gy1 = gy0 + F, *__restrict gy2 = gy1 + F;
        float *__restrict gd = g_dots + F * a, *__restrict gw = g_w + 3 * F * a;
        for (int64_t f = 0; f < F; ++f) {
            gy0[f] = gq[f];
            gy2[f] = gq[f] * dot[f];
            gd[f] = gq[f] * y2[f];
            float sum = 0;
            for (int c = 0; c < 3; ++c) {
                sum += gm[F * c + f] * w[2 * F * c + f];
                gw[F * c + f] = gm[F * c + f] * y1[f];
            }
            gy1[f] = sum;
        }
    }
}

// Derivatives of h_y . g_y + h_dots . g_dots + h_w . g_w by y, W, dots, g_q and g_mu.
void mix_out_backward_twice(int64_t a0, int64_t a1, int64_t F, const float* y, const float* w_rows, const float* dots, const float* g_q,
                            const float* g_mu, const float* h_y, const float* h_dots, const float* h_w, float* o_y, float* o_w,
                            float* o_dots, float* o_g_q, float* o_g_mu) {
    for (int64_t a = a0; a < a1; ++a) {
        const float *__restrict y1 = y + 3 * F * a + F, *__restrict y2 = y1 + F, *__restrict w = w_rows + 6 * F * a;
        const float *__restrict dot = dots + F * a, *__restrict gq = g_q + F * a, *__restrict gm = g_mu + 3 * F * a;
        const float *__restrict h0 = h_y + 3 * F * a, *__restrict h1 = h0 + F, *__restrict h2 = h1 + F;
        const float *__restrict hd = h_dots + F * a, *__restrict hw = h_w + 3 * F * a;
        float *__restrict o0 = o_y + 3 * F * a, *__restrict o1 = o0 + F, *__restrict o2 = o1 + F, *__restrict ow = o_w + 3 * F * a;
        float *__restrict od = o_dots + F * a, *__restrict oq = o_g_q + F * a, *__restrict om = o_g_mu + 3 * F * a;
        for (int64_t f = 0; f < F; ++f) {
            oq[f] = h0[f] + h2[f] * dot[f] + hd[f] * y2[f];
            o0[f] = 0;
            o2[f] = hd[f] * gq[f];
            od[f] = h2[f] * gq[f];
            float sum = 0;
            for (int c = 0; c < 3; ++c) {
                sum += hw[F * c + f] * gm[F * c + f];
                om[F * c + f] = h1[f] * w[2 * F * c + f] + hw[F * c + f] * y1[f];
                ow[F * c + f] = h1[f] * gm[F * c + f];
            }
            o1[f] = sum;
        }
    }
}

// y = x sigmoid(x), by n numbers.
void silu(int64_t n, const float* x, float* y) {
    by_vectors(n, [&](auto at) { at.put(y, at.get(x) * sigmoid(at.get(x))); });
}

void silu_backward(int64_t n, const float* x, const float* g_y, float* g_x) {
    by_vectors(n, [&](auto at) {
        const Vec v = at.get(x), s = sigmoid(v);
        at.put(g_x, at.get(g_y) * s * (1.0f + v * (1.0f - s)));
    });
}

// Derivatives of h_x . g_x by x and g_y.
void silu_backward_twice(int64_t n, const float* x, const float* g_y, const float* h_x, float* o_x, float* o_g_y) {
    by_vectors(n, [&](auto at) {
        const Vec v = at.get(x), s = sigmoid(v), h = at.get(h_x), t = 1.0f - s;
        at.put(o_g_y, h * s * (1.0f + v * t));
        at.put(o_x, h * at.get(g_y) * s * t * (2.0f + v * (t - s)));
    });
}
}
