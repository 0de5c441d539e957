// Pairs of atoms within the cutoff, and what PaiNN's filters are made from.
#pragma once
#include <cmath>

#include "kernels.h"
#include "vectors.h"

namespace {

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
void describe_pairs(const float* positions, const int32_t* pair_atoms, int64_t P, float cutoff, float softening,
                    const float* offsets, const float* widths, int64_t K, int64_t L, float* radial, float* slope, float* u,
                    float* d) {
    constexpr int64_t MOST = 64;
    Vec centre[MOST / LANES], inverse[MOST / LANES];
    for (int64_t k = 0; k < MOST; ++k) {
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
        const float angle = near * (float(M_PI) / cutoff), within = 0.5f * (std::cos(angle) + 1.0f);
        const float falling = distance < cutoff ? -0.5f * (float(M_PI) / cutoff) * std::sin(angle) : 0.0f;
        alignas(64) float values[MOST], slopes[MOST];
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

}  // namespace
