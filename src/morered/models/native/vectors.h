// As many numbers at a time as one register of the machine holds: 16 with AVX-512, 8 with AVX, else 4 (SSE, NEON). Longer vectors
// would be right too, but compilers keep them in memory: kernels were slower than plain PyTorch then.
#pragma once
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int BYTES = 64, REGISTERS = 32;
#elif defined(__AVX__)
constexpr int BYTES = 32, REGISTERS = 16;
#elif defined(__aarch64__)
constexpr int BYTES = 16, REGISTERS = 32;
#else
constexpr int BYTES = 16, REGISTERS = 16;
#endif
constexpr bool MANY_REGISTERS = REGISTERS == 32;  // what the sizes of the blocks that lie in registers are chosen by

using Vec = float __attribute__((vector_size(BYTES), may_alias));
using Int = int32_t __attribute__((vector_size(BYTES)));
constexpr int LANES = BYTES / sizeof(float);

// Numbers lie anywhere; a pointer to Vec would promise the alignment of a register.
inline Vec load(const float* p) {
    Vec v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
inline void store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }
inline Vec all(float x) { return x - Vec{}; }  // x + 0 would stay an addition: it changes -0
// The same, in a register: compilers prefer to load an operand anew for each use, and loads would bound the loop.
inline Vec held(Vec x) {
#if defined(__x86_64__)
    asm("" : "+v"(x));
#elif defined(__aarch64__)
    asm("" : "+w"(x));
#endif
    return x;
}
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

// Runs f over n numbers, LANES at a time and the rest one by one.
template <int N>
struct Place {
    int64_t at;
    Vec get(const float* p) const {
        if constexpr (N == LANES) return load(p + at);
        return all(p[at]);
    }
    void put(float* p, Vec v) const {
        if constexpr (N == LANES)
            store(p + at, v);
        else
            p[at] = v[0];
    }
};
template <class Function>
inline void by_vectors(int64_t n, Function f) {
    int64_t at = 0;
    for (; at + LANES <= n; at += LANES) f(Place<LANES>{at});
    for (; at < n; ++at) f(Place<1>{at});
}

inline Vec sigmoid(Vec x) { return 1.0f / (1.0f + exponential(-x)); }

// `count` vectors, aligned, that stay valid until the thread asks again.
inline Vec* vectors(int64_t count) {
    static thread_local std::vector<float> scratch;
    if (int64_t(scratch.size()) < (count + 1) * LANES) scratch.resize((count + 1) * LANES);
    const auto address = reinterpret_cast<uintptr_t>(scratch.data());
    return reinterpret_cast<Vec*>((address + BYTES - 1) / BYTES * BYTES);
}

}  // namespace
