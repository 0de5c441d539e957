// Products of atoms' features with weights, for rows that are in the cache already; larger ones are left to PyTorch.
#pragma once
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels.h"
#include "vectors.h"

namespace {

constexpr int SECTIONS = MANY_REGISTERS ? 4 : 2;  // with 6 rows: 24 or 12 sums, the columns, and one number of X
constexpr int WIDE = SECTIONS * LANES;            // columns of a panel of packed weights

// Calls f with the number of vectors, 1 to SECTIONS, as a constant.
template <class Function>
inline void by_sections(int64_t sections, Function f) {
    if (sections == 1) return f(std::integral_constant<int, 1>());
    if (sections == 2) return f(std::integral_constant<int, 2>());
    if constexpr (SECTIONS == 4) {
        if (sections == 3) return f(std::integral_constant<int, 3>());
        return f(std::integral_constant<int, 4>());
    }
}

// The first `count` numbers of a row. Not inlined: it would stand in each row and section of what calls it, for ever more code.
__attribute__((noinline)) void put_part(const float* row, const float* bias, bool add, int64_t count, float* y) {
    for (int64_t n = 0; n < count; ++n) y[n] = row[n] + (bias ? bias[n] : 0.0f) + (add ? y[n] : 0.0f);
}

// Y[r, n] (+)= sum_k X[r, k] panel[k, n] + bias[n] for R rows and the S vectors of columns of a panel, of which `count` are stored.
template <int R, int S>
inline void panel_rows(int64_t K, const float* X, int64_t ldx, const float* panel, const float* bias, bool add, int64_t count,
                       float* Y, int64_t ldy) {
    Vec acc[R][S];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) acc[r][s] = Vec{};
    for (int64_t k = 0; k < K; ++k) {
        Vec column[S];
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) column[s] = held(load(panel + (k * S + s) * LANES));
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const Vec b = all(X[r * ldx + k]);
#pragma GCC unroll 4
            for (int s = 0; s < S; ++s) acc[r][s] += b * column[s];
        }
    }
    if (count >= S * LANES) {
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
            for (int s = 0; s < S; ++s) {
                float* y = Y + r * ldy + s * LANES;
                Vec v = acc[r][s];
                if (bias) v += load(bias + s * LANES);
                if (add) v += load(y);
                store(y, v);
            }
    } else {
        float row[S * LANES];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
            for (int s = 0; s < S; ++s) store(row + s * LANES, acc[r][s]);
            put_part(row, bias, add, count, Y + r * ldy);
        }
    }
}

template <int S>
void panel(int64_t M, int64_t K, const float* X, int64_t ldx, const float* packed, const float* bias, bool add, int64_t count,
           float* Y, int64_t ldy) {
    int64_t m = 0;
    for (; m + 6 <= M; m += 6) panel_rows<6, S>(K, X + m * ldx, ldx, packed, bias, add, count, Y + m * ldy, ldy);
    for (; m + 2 <= M; m += 2) panel_rows<2, S>(K, X + m * ldx, ldx, packed, bias, add, count, Y + m * ldy, ldy);
    for (; m < M; ++m) panel_rows<1, S>(K, X + m * ldx, ldx, packed, bias, add, count, Y + m * ldy, ldy);
}

// Y [M, N] (+)= X [M, K] B + bias with B packed.
void product(int64_t M, int64_t K, int64_t N, const float* X, int64_t ldx, const float* packed, const float* bias, bool add,
             float* Y, int64_t ldy) {
    for (int64_t n = 0; n < N; n += WIDE) {
        const int64_t count = std::min<int64_t>(WIDE, N - n), sections = (count + LANES - 1) / LANES;
        by_sections(sections, [&](auto s) { panel<s>(M, K, X, ldx, packed + n * K, bias ? bias + n : nullptr, add, count, Y + n, ldy); });
    }
}

void linear(const Dense& layer, int64_t rows, const float* x, float* y) {
    product(rows, layer.in, layer.out, x, layer.in, layer.forward, layer.bias, false, y, layer.out);
}

void linear_back(const Dense& layer, int64_t rows, const float* g_y, bool add, float* g_x) {
    product(rows, layer.out, layer.in, g_y, layer.out, layer.backward, nullptr, add, g_x, layer.in);
}

// g_W[n, k] += sum_m g_Y[m, n] X[m, k] for R of the n and S vectors of the k.
template <int R, int S>
inline void outer_rows(int64_t M, const float* g_Y, int64_t ldy, const float* X, int64_t ldx, float* g_W, int64_t ldw) {
    Vec acc[R][S];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) acc[r][s] = load(g_W + r * ldw + s * LANES);
    for (int64_t m = 0; m < M; ++m) {
        Vec row[S];
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) row[s] = held(load(X + m * ldx + s * LANES));
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const Vec b = all(g_Y[m * ldy + r]);
#pragma GCC unroll 4
            for (int s = 0; s < S; ++s) acc[r][s] += b * row[s];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) store(g_W + r * ldw + s * LANES, acc[r][s]);
}

template <int S>
void outer(int64_t M, int64_t N, const float* g_Y, int64_t ldy, const float* X, int64_t ldx, float* g_W, int64_t ldw) {
    int64_t n = 0;
    for (; n + 6 <= N; n += 6) outer_rows<6, S>(M, g_Y + n, ldy, X, ldx, g_W + n * ldw, ldw);
    for (; n + 2 <= N; n += 2) outer_rows<2, S>(M, g_Y + n, ldy, X, ldx, g_W + n * ldw, ldw);
    for (; n < N; ++n) outer_rows<1, S>(M, g_Y + n, ldy, X, ldx, g_W + n * ldw, ldw);
}

// Adds the derivatives by weights [out, in] and biases [out] (or null); `in` is a multiple of LANES.
void linear_weights(const Dense& layer, int64_t rows, const float* g_y, const float* x, float* g_weight, float* g_bias) {
    for (int64_t k = 0; k < layer.in; k += WIDE) {
        const int64_t sections = std::min<int64_t>(WIDE, layer.in - k) / LANES;
        by_sections(sections,
                    [&](auto s) { outer<s>(rows, layer.out, g_y, layer.out, x + k, layer.in, g_weight + k, layer.in); });
    }
    if (g_bias)
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t n = 0; n < layer.out; ++n) g_bias[n] += g_y[r * layer.out + n];
}

// The matrix B [K, N] given as B[k * by_k + n * by_n], packed: panels of WIDE columns, the last one rounded up to whole vectors,
// and in each the rows of the reduced index in order.
void pack_product(const float* B, int64_t K, int64_t N, int64_t by_k, int64_t by_n, float* packed) {
    for (int64_t n = 0; n < N; n += WIDE) {
        const int64_t count = std::min<int64_t>(WIDE, N - n), width = (count + LANES - 1) / LANES * LANES;
        for (int64_t k = 0; k < K; ++k)
            if (by_n == 1 && count == width)
                std::memcpy(packed + n * K + k * width, B + k * by_k + n, width * sizeof(float));
            else
                for (int64_t l = 0; l < width; ++l)
                    packed[n * K + k * width + l] = l < count ? B[k * by_k + (n + l) * by_n] : 0.0f;
    }
}

}  // namespace
