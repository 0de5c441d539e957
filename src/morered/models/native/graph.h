// The pairs of a flat batch, and messages along them, for Python.
#pragma once
#include <vector>

#include "library.h"

class PairGraph {
  public:
    PairGraph(const Library& library, const In& positions, const Array<const int64_t>& atom_offsets, const In& offsets,
              const In& widths, float cutoff, float softening, int64_t features, bool slopes)
        : kernels(library.table), cutoff_(cutoff), softening_(softening) {
        expect("atom_offsets", atom_offsets, {ANY});
        require(atom_offsets.size() > 0, "atom_offsets must have one number more than there are molecules");
        n_molecules = int64_t(atom_offsets.size()) - 1;
        const int64_t* at = atom_offsets.data();
        int64_t possible = 0;
        require(at[0] == 0, "atom_offsets must begin with 0");
        for (int64_t m = 0; m < n_molecules; ++m) {
            const int64_t size = at[m + 1] - at[m];
            require(size >= 0, "atom_offsets must not fall");
            possible += size * (size - 1) / 2;
        }
        n_atoms = at[n_molecules];
        require(n_atoms <= INT32_MAX, "a batch holds at most 2^31 - 1 atoms");
        const float* places = numbers("positions", positions, {n_atoms, 3});
        expect("offsets", offsets, {ANY});
        radial_basis = int64_t(offsets.size());
        require(radial_basis > 0 && radial_basis < 64, "there must be 1 to 63 radial functions");
        require(features > 0 && features % 16 == 0, "features must be a multiple of 16");
        positions_ = Buffer<float>(places, 3 * n_atoms);
        offsets_ = Buffer<float>(offsets.data(), radial_basis);
        widths_ = Buffer<float>(numbers("widths", widths, {radial_basis}), radial_basis);
        atom_offsets_ = Buffer<int64_t>(at, n_molecules + 1);
        pair_offsets_ = Buffer<int64_t>(n_molecules + 1);
        pair_atoms_ = Buffer<int32_t>(2 * possible);
        n_pairs = kernels->find_pairs(positions_.get(), atom_offsets_.get(), n_molecules, cutoff, pair_atoms_.get(),
                                      pair_offsets_.get());
        const int64_t L = (radial_basis + 8) / 8 * 8;
        radial_ = Buffer<float>(n_pairs * L);
        if (slopes) slope_ = Buffer<float>(n_pairs * L);
        u_ = Buffer<float>(3 * n_pairs);
        d_ = Buffer<float>(n_pairs);
        graph = Graph{atom_offsets_.get(), pair_offsets_.get(), pair_atoms_.get(), radial_.get(), slopes ? slope_.get() : nullptr,
                      u_.get(), d_.get(), L, radial_basis + 1, features, 0};
    }

    // Radial functions and directions of pairs start..stop; every pair needs them before the first message.
    void describe(int64_t start, int64_t stop) {
        within(start, stop, n_pairs);
        const int64_t L = graph.L;
        kernels->describe_pairs(positions_.get(), pair_atoms_.get() + 2 * start, stop - start, cutoff_, softening_,
                                offsets_.get(), widths_.get(), radial_basis, L, radial_.get() + L * start,
                                graph.slope ? slope_.get() + L * start : nullptr, u_.get() + 3 * start, d_.get() + start);
    }

    void message_forward(int64_t start, int64_t stop, const In& filters, const In& q, const In& x, const In& mu, const Out& q_out,
                         const Out& mu_out) const {
        const int64_t A = n_atoms, F = graph.F;
        within(start, stop, n_molecules);
        kernels->message_forward(&graph, start, stop, numbers("filters", filters, {packed()}), numbers("q", q, {A, F}),
                                 numbers("x", x, {A, 3 * F}), numbers_or_null("mu", mu, {A, 3, F}),
                                 numbers("q_out", q_out, {A, F}), numbers("mu_out", mu_out, {A, 3, F}));
    }

    void message_backward(int64_t start, int64_t stop, const In& filters, const In& x, const In& mu, const In& g_q,
                          const In& g_mu, const Out& g_x, const Out& g_mu_in, const Out& g_positions,
                          const Out& g_filters) const {
        const int64_t A = n_atoms, F = graph.F;
        within(start, stop, n_molecules);
        require(g_positions.is_valid() != g_filters.is_valid(), "either g_positions or g_filters must be given");
        require(mu.is_valid() == g_mu_in.is_valid(), "mu and g_mu_in must be given together");
        require(!g_positions.is_valid() || graph.slope, "g_positions needs a graph with slopes");
        kernels->message_backward(
            &graph, start, stop, numbers("filters", filters, {packed()}), numbers("x", x, {A, 3 * F}),
            numbers_or_null("mu", mu, {A, 3, F}), numbers("g_q", g_q, {A, F}), numbers("g_mu", g_mu, {A, 3, F}),
            numbers("g_x", g_x, {A, 3 * F}), numbers_or_null("g_mu_in", g_mu_in, {A, 3, F}),
            numbers_or_null("g_positions", g_positions, {A, 3}), numbers_or_null("g_filters", g_filters, {packed()}));
    }

    void message_backward_twice(int64_t start, int64_t stop, const In& filters, const In& x, const In& mu, const In& g_q,
                                const In& g_mu, const In& h_x, const In& h_mu, const In& h_positions, const Out& o_g_q,
                                const Out& o_g_mu, const Out& o_x, const Out& o_mu, const Out& o_filters) const {
        const int64_t A = n_atoms, F = graph.F;
        within(start, stop, n_molecules);
        require(mu.is_valid() == h_mu.is_valid() && mu.is_valid() == o_mu.is_valid(), "mu, h_mu and o_mu must be given together");
        require(graph.slope, "second derivatives need a graph with slopes");
        kernels->message_backward_twice(
            &graph, start, stop, numbers("filters", filters, {packed()}), numbers("x", x, {A, 3 * F}),
            numbers_or_null("mu", mu, {A, 3, F}), numbers("g_q", g_q, {A, F}), numbers("g_mu", g_mu, {A, 3, F}),
            numbers("h_x", h_x, {A, 3 * F}), numbers_or_null("h_mu", h_mu, {A, 3, F}), numbers("h_positions", h_positions, {A, 3}),
            numbers("o_g_q", o_g_q, {A, F}), numbers("o_g_mu", o_g_mu, {A, 3, F}), numbers("o_x", o_x, {A, 3 * F}),
            numbers_or_null("o_mu", o_mu, {A, 3, F}), numbers("o_filters", o_filters, {packed()}));
    }

    // Numbers of a block's packed filters.
    int64_t packed() const { return 3 * graph.F * graph.K1; }

    const Kernels* kernels;
    Graph graph;
    int64_t n_molecules, n_atoms, n_pairs, radial_basis;

  private:
    float cutoff_, softening_;
    Buffer<float> positions_, offsets_, widths_, radial_, slope_, u_, d_;
    Buffer<int64_t> atom_offsets_, pair_offsets_;
    Buffer<int32_t> pair_atoms_;
};
