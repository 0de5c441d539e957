// What a set of kernels offers: the structs that they read, and a table of functions.
//
// `kernels.cpp` is compiled once for each instruction set, into a library of its own that exports the table; `binding.cpp`, which
// is compiled for any machine, opens the one that the CPU can run. The structs hold numbers and pointers only.
//
// Shapes: B molecules, A atoms, P pairs, F features (a multiple of 16), K radial functions (63 at most), K1 = K + 1, L = K1 rounded
// up to a multiple of 8, O outgoing features. Arrays are contiguous, rows in the order of their indices; numbers are float32 where
// nothing else is said. A pair (i < j) is kept once: its filters are the same in both directions, its direction has the other sign.
//
// Prefixes: `g_` is the derivative of a loss (or an energy) by what follows; `h_` is the derivative of a second loss by such a
// `g_`, and `o_` that second loss's derivative by what follows. Kernels take the range of molecules (m0, m1) or atoms (a0, a1)
// that they are to work on.
#pragma once
#include <cstdint>

// Pairs of a flat batch: what every message kernel works on.
struct Graph {
    const int64_t* atom_offsets;  // [B + 1]
    const int64_t* pair_offsets;  // [B + 1]
    const int32_t* pair_atoms;    // [P, 2]
    const float* radial;          // [P, L] K Gaussians times the cutoff, the cutoff, zeros
    const float* slope;           // [P, L] its derivative by the distance, or null
    const float* u;               // [P, 3]
    const float* d;               // [P]
    int64_t L, K1, F;
    int64_t origin;  // atom that the arrays of features begin with
};

// A linear layer y = x W^T + b, and the way back, g_x = g_y W. Packed: see `pack_product`.
struct Dense {
    const float *forward, *backward, *bias;  // backward, bias: or null
    int64_t in, out;
};

// One interaction and one mixing; the first block has no context.
struct Block {
    Dense context[2], vectors, mix[2];
    const float* filters;  // see `pack_filters`
};

// One gated block of the noise head; `time` [hidden] weighs the time, null where none comes in.
struct Gate {
    Dense vectors, first, second;
    const float* time;
};

struct Network {
    const float *embedding, *context, *offsets, *widths;  // [100, F], [100, 3F]: that of the first block by element, [K], [K]
    const Block* blocks;
    const Dense* atom_head;  // of times or energies
    const Gate* noise_head;
    int64_t F, K, n_blocks, n_atom_layers, n_gates;
    float cutoff, softening, epsilon, tiny;
};

// What a block leaves for the way back: q [A, F] and mu [A, 3, F] that come in (the first block has no mu), x [A, 3F], hidden_x
// [A, F] (null for the first block), sent [A, 3, F] vectors after the messages, vw [A, 3, 2F], context [A, 2F], dots [A, F],
// hidden_y [A, F], y [A, 3F].
struct Left {
    float *q, *mu, *x, *hidden_x, *sent, *vw, *context, *dots, *hidden_y, *y;
};

// Where a block's derivatives are added: weights and biases in the order context, vectors, mix; filters packed.
struct Gradients {
    float *context[2], *context_bias[2], *vectors, *mix[2], *mix_bias[2], *filters;
};

// The functions; each is described where it is defined.
struct Kernels {
    int64_t size;      // of this struct: that of another build is refused
    const char* name;  // of the instruction set
    // pairs.h
    int64_t (*find_pairs)(const float* positions, const int64_t* atom_offsets, int64_t B, float cutoff, int32_t* pair_atoms,
                          int64_t* pair_offsets);
    void (*describe_pairs)(const float* positions, const int32_t* pair_atoms, int64_t P, float cutoff, float softening,
                           const float* offsets, const float* widths, int64_t K, int64_t L, float* radial, float* slope, float* u,
                           float* d);
    // messages.h
    void (*pack_filters)(const float* weight, const float* bias, int64_t F, int64_t K, float* packed);
    void (*unpack_filters)(const float* packed, int64_t F, int64_t K, float* weight, float* bias);
    void (*message_forward)(const Graph* graph, int64_t m0, int64_t m1, const float* weight, const float* q, const float* x,
                            const float* mu, float* q_out, float* mu_out);
    void (*message_backward)(const Graph* graph, int64_t m0, int64_t m1, const float* weight, const float* x, const float* mu,
                             const float* g_q, const float* g_mu, float* g_x, float* g_mu_in, float* g_positions,
                             float* g_weight);
    void (*message_backward_twice)(const Graph* graph, int64_t m0, int64_t m1, const float* weight, const float* x,
                                   const float* mu, const float* g_q, const float* g_mu, const float* h_x, const float* h_mu,
                                   const float* h_positions, float* o_g_q, float* o_g_mu, float* o_x, float* o_mu,
                                   float* o_weight);
    // mixing.h
    void (*mix_in)(int64_t a0, int64_t a1, int64_t F, int64_t O, float epsilon, const float* q, const float* vw, float* context,
                   float* dots);
    void (*mix_in_backward)(int64_t a0, int64_t a1, int64_t F, int64_t O, const float* vw, const float* context,
                            const float* g_context, const float* g_dots, const float* g_w, float* g_q, float* g_vw);
    void (*mix_in_backward_twice)(int64_t a0, int64_t a1, int64_t F, int64_t O, const float* vw, const float* context,
                                  const float* g_context, const float* g_dots, const float* h_q, const float* h_vw, float* o_vw,
                                  float* o_g_context, float* o_g_dots, float* o_g_w);
    void (*mix_out)(int64_t a0, int64_t a1, int64_t F, const float* q, const float* mu, const float* y, const float* w_rows,
                    const float* dots, float* q_out, float* mu_out);
    void (*mix_out_backward)(int64_t a0, int64_t a1, int64_t F, const float* y, const float* w_rows, const float* dots,
                             const float* g_q, const float* g_mu, float* g_y, float* g_dots, float* g_w);
    void (*mix_out_backward_twice)(int64_t a0, int64_t a1, int64_t F, const float* y, const float* w_rows, const float* dots,
                                   const float* g_q, const float* g_mu, const float* h_y, const float* h_dots, const float* h_w,
                                   float* o_y, float* o_w, float* o_dots, float* o_g_q, float* o_g_mu);
    void (*silu)(int64_t n, const float* x, float* y);
    void (*silu_backward)(int64_t n, const float* x, const float* g_y, float* g_x);
    void (*silu_backward_twice)(int64_t n, const float* x, const float* g_y, const float* h_x, float* o_x, float* o_g_y);
    // products.h
    void (*pack_product)(const float* B, int64_t K, int64_t N, int64_t by_k, int64_t by_n, float* packed);
    // inference.h
    void (*infer)(const Network* network, int64_t m0, int64_t m1, int64_t N, int64_t at_once, const int64_t* numbers,
                  const float* positions, const bool* mask, const float* times, float* noise, float* values, float* g_positions);
    // training.h
    void (*represent_forward)(const Network* network, const Graph* whole, int64_t m0, int64_t m1, int64_t at_once,
                              const Left* left, float* q_out, float* mu_out);
    void (*represent_backward)(const Network* network, const Graph* whole, int64_t m0, int64_t m1, int64_t at_once,
                               const Left* left, const float* g_q_out, const float* g_mu_out, float* g_q0, float* g_x0,
                               const Gradients* gradients);
    // optimisers.h
    void (*lbfgs_direction)(int64_t m0, int64_t m1, int64_t H, int64_t D, int64_t oldest, int64_t count, double h,
                            const double* s, const double* y, const double* rho, const double* f, double* direction);
    void (*mix)(int64_t m0, int64_t m1, int64_t H, int64_t D, int64_t place, int64_t warmup, double regularisation,
                double longest, const double* x, const double* target, const int64_t* taken, double* dg, double* df, double* g,
                double* f, double* out);
};
