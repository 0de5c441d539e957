// Steps of the batched optimisers, in double precision: a few hundred numbers a molecule, for which a call of PyTorch costs more
// than the arithmetic. The same as `relaxation.lbfgs.Compact` and `relaxation.mixing.mixed`, to rounding.
//
// Shapes: B molecules, D = 3N coordinates (0 on padding), H pairs of differences.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "vectors.h"

namespace {

using Doubles = double __attribute__((vector_size(BYTES)));
constexpr int64_t WIDTH = BYTES / sizeof(double);

inline Doubles load(const double* p) {
    Doubles v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

inline double dot(int64_t n, const double* a, const double* b) {
    Doubles sums{};
    int64_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) sums += load(a + i) * load(b + i);
    double sum = 0;
    for (int l = 0; l < WIDTH; ++l) sum += sums[l];
    for (; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

// y += a x
inline void add(int64_t n, double a, const double* x, double* y) {
    for (int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

// Solves A w = b for a symmetric positive definite A [H, H] by Cholesky's factors, which take its place; w takes that of b.
inline void solve(int64_t H, double* A, double* b) {
    for (int64_t i = 0; i < H; ++i) {
        for (int64_t j = 0; j <= i; ++j) {
            double sum = A[i * H + j];
            for (int64_t k = 0; k < j; ++k) sum -= A[i * H + k] * A[j * H + k];
            A[i * H + j] = i == j ? std::sqrt(sum) : sum / A[j * H + j];
        }
        for (int64_t k = 0; k < i; ++k) b[i] -= A[i * H + k] * b[k];
        b[i] /= A[i * H + i];
    }
    for (int64_t i = H - 1; i >= 0; --i) {
        for (int64_t k = i + 1; k < H; ++k) b[i] -= A[k * H + i] * b[k];
        b[i] /= A[i * H + i];
    }
}

// L-BFGS's directions H f [B, D] of molecules [m0, m1) by the recursion of two loops: pairs s, y [B, H, D] and rho = 1 / s.y [B, H]
// (0: a pair of zeros), of which `count` are there, the oldest at `oldest` and round again; `h` is the first inverse Hessian.
void lbfgs_direction(int64_t m0, int64_t m1, int64_t H, int64_t D, int64_t oldest, int64_t count, double h, const double* s,
                     const double* y, const double* rho, const double* f, double* direction) {
    std::vector<double> alpha(count);
    for (int64_t m = m0; m < m1; ++m) {
        double* z = direction + m * D;
        std::copy(f + m * D, f + (m + 1) * D, z);
        for (int64_t k = count - 1; k >= 0; --k) {
            const int64_t pair = m * H + (oldest + k) % H;
            if (rho[pair] == 0) continue;
            alpha[k] = rho[pair] * dot(D, s + pair * D, z);
            add(D, -alpha[k], y + pair * D, z);
        }
        for (int64_t i = 0; i < D; ++i) z[i] *= h;
        for (int64_t k = 0; k < count; ++k) {
            const int64_t pair = m * H + (oldest + k) % H;
            if (rho[pair] == 0) continue;
            add(D, alpha[k] - rho[pair] * dot(D, y + pair * D, z), s + pair * D, z);
        }
    }
}

// Where Anderson mixing takes molecules [m0, m1) from x [B, D] whose jumps end at `target` [B, D]. Differences dg, df [B, H, D] get
// new ones at `place`, and g, f [B, D] are those of this step afterwards; the first `warmup` of the steps `taken` [B] are plain.
void mix(int64_t m0, int64_t m1, int64_t H, int64_t D, int64_t place, int64_t warmup, double regularisation, double longest,
         const double* x, const double* target, const int64_t* taken, double* dg, double* df, double* g, double* f, double* out) {
    std::vector<double> normal(H * H), weights(H);
    for (int64_t m = m0; m < m1; ++m) {
        const double *from = x + m * D, *to = target + m * D;
        double *history_g = dg + m * H * D, *history_f = df + m * H * D, *last_g = g + m * D, *last_f = f + m * D;
        double *new_g = history_g + place * D, *new_f = history_f + place * D, *moved = out + m * D;
        const double known = taken[m] > 0;
        for (int64_t i = 0; i < D; ++i) {
            const double jump = to[i] - from[i];
            new_g[i] = known * (to[i] - last_g[i]);
            new_f[i] = known * (jump - last_f[i]);
            last_g[i] = to[i];
            last_f[i] = moved[i] = jump;
        }
        if (taken[m] >= warmup) {
            double scale = 0;
            for (int64_t i = 0; i < H; ++i) {
                weights[i] = dot(D, history_f + i * D, last_f);
                for (int64_t j = 0; j <= i; ++j) normal[i * H + j] = dot(D, history_f + i * D, history_f + j * D);
                scale += normal[i * H + i] / H;
            }
            for (int64_t i = 0; i < H; ++i) normal[i * H + i] += regularisation * std::max(scale, 2.2250738585072014e-308);
            solve(H, normal.data(), weights.data());
            for (int64_t i = 0; i < H; ++i) add(D, -weights[i], history_g + i * D, moved);
            double square = 0;
            for (int64_t i = 0; i + 3 <= D; i += 3) square = std::max(square, dot(3, moved + i, moved + i));
            const double factor = longest / std::max(std::sqrt(square), longest);
            for (int64_t i = 0; i < D; ++i) moved[i] *= factor;
        }
        for (int64_t i = 0; i < D; ++i) moved[i] += from[i];
    }
}

}  // namespace
