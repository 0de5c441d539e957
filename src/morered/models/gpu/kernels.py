"""Triton kernels of the messages and the mixing of PaiNN, and of their gradients.

A filter of a pair, [3F] numbers made of K radial ones, is computed where it is used: storing the filters of all pairs would move
some hundred times the bytes that the atoms' features have.

Shapes: B batch, N padded atoms, A = B N rows, F features, O features that a mixing puts out, K radial functions and the cutoff.
Matrices are contiguous. Offsets are 64-bit where a batch may have more than 2^31 numbers.
"""

# ruff: noqa: E741
# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _product(a, b, PRECISION: tl.constexpr):
    """Of two tiles; at least 16 in every direction."""
    return tl.dot(a, b, input_precision=PRECISION)


@triton.jit
def message_forward(
    radial, directions, weight, q, x, mu, out_q, out_mu, N,
    F: tl.constexpr, K: tl.constexpr, BK: tl.constexpr, BJ: tl.constexpr, BF: tl.constexpr,
    HAS_MU: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """What atom i becomes: one program for each i and BF features, over blocks of BJ neighbours j."""
    i = tl.program_id(0).to(tl.int64)
    first = i // N * N  # row of the molecule's first atom
    f = tl.program_id(1) * BF + tl.arange(0, BF)
    f_in = f < F
    k = tl.arange(0, BK)
    k_in = k < K
    w = weight + f[None, :] * K + k[:, None]
    w_in = k_in[:, None] & f_in[None, :]
    w_q = tl.load(w, mask=w_in, other=0.0)
    w_r = tl.load(w + F * K, mask=w_in, other=0.0)
    w_m = tl.load(w + 2 * F * K, mask=w_in & HAS_MU, other=0.0)
    sum_q = tl.zeros([BF], tl.float32)
    sum_x = tl.zeros([BF], tl.float32)
    sum_y = tl.zeros([BF], tl.float32)
    sum_z = tl.zeros([BF], tl.float32)
    for start in range(0, N, BJ):
        j = start + tl.arange(0, BJ)
        j_in = j < N
        pair = i * N + j
        atom = first + j
        both = j_in[:, None] & f_in[None, :]
        r = tl.load(radial + pair[:, None] * K + k[None, :], mask=j_in[:, None] & k_in[None, :], other=0.0)
        context = x + atom[:, None] * (3 * F) + f[None, :]
        sum_q += tl.sum(_product(r, w_q, PRECISION) * tl.load(context, mask=both, other=0.0), 0)
        along = _product(r, w_r, PRECISION) * tl.load(context + F, mask=both, other=0.0)
        d = directions + pair * 3
        sum_x += tl.sum(along * tl.load(d, mask=j_in, other=0.0)[:, None], 0)
        sum_y += tl.sum(along * tl.load(d + 1, mask=j_in, other=0.0)[:, None], 0)
        sum_z += tl.sum(along * tl.load(d + 2, mask=j_in, other=0.0)[:, None], 0)
        if HAS_MU:
            passed = _product(r, w_m, PRECISION) * tl.load(context + 2 * F, mask=both, other=0.0)
            v = mu + atom[:, None] * (3 * F) + f[None, :]
            sum_x += tl.sum(passed * tl.load(v, mask=both, other=0.0), 0)
            sum_y += tl.sum(passed * tl.load(v + F, mask=both, other=0.0), 0)
            sum_z += tl.sum(passed * tl.load(v + 2 * F, mask=both, other=0.0), 0)
    tl.store(out_q + i * F + f, tl.load(q + i * F + f, mask=f_in, other=0.0) + sum_q, mask=f_in)
    own = i * (3 * F) + f
    if HAS_MU:
        sum_x += tl.load(mu + own, mask=f_in, other=0.0)
        sum_y += tl.load(mu + own + F, mask=f_in, other=0.0)
        sum_z += tl.load(mu + own + 2 * F, mask=f_in, other=0.0)
    tl.store(out_mu + own, sum_x, mask=f_in)
    tl.store(out_mu + own + F, sum_y, mask=f_in)
    tl.store(out_mu + own + 2 * F, sum_z, mask=f_in)


@triton.jit
def message_backward(
    radial, directions, weight, x, mu, g_q, g_mu, g_x, g_mu_in, N,
    F: tl.constexpr, K: tl.constexpr, BK: tl.constexpr, BJ: tl.constexpr, BF: tl.constexpr,
    HAS_MU: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Gradients by context and vectors of atom j: one program for each j and BF features, over blocks of BJ receiving atoms i."""
    j = tl.program_id(0).to(tl.int64)
    first = j // N * N
    f = tl.program_id(1) * BF + tl.arange(0, BF)
    f_in = f < F
    k = tl.arange(0, BK)
    k_in = k < K
    w = weight + f[None, :] * K + k[:, None]
    w_in = k_in[:, None] & f_in[None, :]
    w_q = tl.load(w, mask=w_in, other=0.0)
    w_r = tl.load(w + F * K, mask=w_in, other=0.0)
    w_m = tl.load(w + 2 * F * K, mask=w_in & HAS_MU, other=0.0)
    own = j * (3 * F) + f
    x_m = tl.zeros([BF], tl.float32)
    mu_1 = tl.zeros([BF], tl.float32)
    mu_2 = tl.zeros([BF], tl.float32)
    mu_3 = tl.zeros([BF], tl.float32)
    if HAS_MU:
        x_m = tl.load(x + own + 2 * F, mask=f_in, other=0.0)
        mu_1 = tl.load(mu + own, mask=f_in, other=0.0)
        mu_2 = tl.load(mu + own + F, mask=f_in, other=0.0)
        mu_3 = tl.load(mu + own + 2 * F, mask=f_in, other=0.0)
    sum_q = tl.zeros([BF], tl.float32)
    sum_r = tl.zeros([BF], tl.float32)
    sum_m = tl.zeros([BF], tl.float32)
    sum_1 = tl.zeros([BF], tl.float32)
    sum_2 = tl.zeros([BF], tl.float32)
    sum_3 = tl.zeros([BF], tl.float32)
    for start in range(0, N, BJ):
        i = start + tl.arange(0, BJ)
        i_in = i < N
        atom = first + i
        pair = atom * N + (j - first)
        both = i_in[:, None] & f_in[None, :]
        r = tl.load(radial + pair[:, None] * K + k[None, :], mask=i_in[:, None] & k_in[None, :], other=0.0)
        gradient = tl.load(g_q + atom[:, None] * F + f[None, :], mask=both, other=0.0)
        vector = g_mu + atom[:, None] * (3 * F) + f[None, :]
        g_1 = tl.load(vector, mask=both, other=0.0)
        g_2 = tl.load(vector + F, mask=both, other=0.0)
        g_3 = tl.load(vector + 2 * F, mask=both, other=0.0)
        d = directions + pair * 3
        along = g_1 * tl.load(d, mask=i_in, other=0.0)[:, None]
        along += g_2 * tl.load(d + 1, mask=i_in, other=0.0)[:, None]
        along += g_3 * tl.load(d + 2, mask=i_in, other=0.0)[:, None]
        sum_q += tl.sum(_product(r, w_q, PRECISION) * gradient, 0)
        sum_r += tl.sum(_product(r, w_r, PRECISION) * along, 0)
        if HAS_MU:
            filters = _product(r, w_m, PRECISION)
            sum_m += tl.sum(filters * (g_1 * mu_1[None, :] + g_2 * mu_2[None, :] + g_3 * mu_3[None, :]), 0)
            sum_1 += tl.sum(filters * g_1, 0)
            sum_2 += tl.sum(filters * g_2, 0)
            sum_3 += tl.sum(filters * g_3, 0)
    tl.store(g_x + own, sum_q, mask=f_in)
    tl.store(g_x + own + F, sum_r, mask=f_in)
    tl.store(g_x + own + 2 * F, sum_m, mask=f_in)
    if HAS_MU:
        tl.store(g_mu_in + own, tl.load(g_mu + own, mask=f_in, other=0.0) + x_m * sum_1, mask=f_in)
        tl.store(g_mu_in + own + F, tl.load(g_mu + own + F, mask=f_in, other=0.0) + x_m * sum_2, mask=f_in)
        tl.store(g_mu_in + own + 2 * F, tl.load(g_mu + own + 2 * F, mask=f_in, other=0.0) + x_m * sum_3, mask=f_in)


@triton.jit
def message_weights(
    radial, directions, x, mu, g_q, g_mu, g_weight, N,
    F: tl.constexpr, K: tl.constexpr, BK: tl.constexpr, BJ: tl.constexpr, BF: tl.constexpr,
    HAS_MU: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Each molecule's part of the gradient by the weights, [B, 3, K, F]: one program for each molecule and BF features.

    Over blocks of BJ receiving atoms i, and over all sending atoms j.
    """
    molecule = tl.program_id(0).to(tl.int64)
    first = molecule * N
    f = tl.program_id(1) * BF + tl.arange(0, BF)
    f_in = f < F
    k = tl.arange(0, BK)
    k_in = k < K
    g_w_q = tl.zeros([BK, BF], tl.float32)
    g_w_r = tl.zeros([BK, BF], tl.float32)
    g_w_m = tl.zeros([BK, BF], tl.float32)
    for start in range(0, N, BJ):
        i = start + tl.arange(0, BJ)
        i_in = i < N
        both = i_in[:, None] & f_in[None, :]
        gradient = tl.load(g_q + (first + i)[:, None] * F + f[None, :], mask=both, other=0.0)
        vector = g_mu + (first + i)[:, None] * (3 * F) + f[None, :]
        g_1 = tl.load(vector, mask=both, other=0.0)
        g_2 = tl.load(vector + F, mask=both, other=0.0)
        g_3 = tl.load(vector + 2 * F, mask=both, other=0.0)
        for j in range(N):
            pair = (first + i) * N + j
            r = tl.load(radial + pair[None, :] * K + k[:, None], mask=k_in[:, None] & i_in[None, :], other=0.0)
            own = (first + j) * (3 * F) + f
            x_q = tl.load(x + own, mask=f_in, other=0.0)
            x_r = tl.load(x + own + F, mask=f_in, other=0.0)
            d = directions + pair * 3
            along = g_1 * tl.load(d, mask=i_in, other=0.0)[:, None]
            along += g_2 * tl.load(d + 1, mask=i_in, other=0.0)[:, None]
            along += g_3 * tl.load(d + 2, mask=i_in, other=0.0)[:, None]
            g_w_q += _product(r, gradient * x_q[None, :], PRECISION)
            g_w_r += _product(r, along * x_r[None, :], PRECISION)
            if HAS_MU:
                x_m = tl.load(x + own + 2 * F, mask=f_in, other=0.0)
                mu_1 = tl.load(mu + own, mask=f_in, other=0.0) * x_m
                mu_2 = tl.load(mu + own + F, mask=f_in, other=0.0) * x_m
                mu_3 = tl.load(mu + own + 2 * F, mask=f_in, other=0.0) * x_m
                onto = g_1 * mu_1[None, :] + g_2 * mu_2[None, :] + g_3 * mu_3[None, :]
                g_w_m += _product(r, onto, PRECISION)
    part = g_weight + molecule * (3 * K * F) + k[:, None] * F + f[None, :]
    stored = k_in[:, None] & f_in[None, :]
    tl.store(part, g_w_q, mask=stored)
    tl.store(part + K * F, g_w_r, mask=stored)
    tl.store(part + 2 * K * F, g_w_m, mask=stored)


@triton.jit
def message_pairs(
    radial, directions, weight, x, mu, g_q, g_mu, g_radial, g_directions, N,
    F: tl.constexpr, K: tl.constexpr, BK: tl.constexpr, BJ: tl.constexpr, BF: tl.constexpr,
    HAS_MU: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Gradients by the radial functions [B, N, N, K] and the directions [B, N, N, 3] of pairs: one program for each atom i.

    It receives over blocks of BJ sending atoms j; features are summed in blocks of BF.
    """
    i = tl.program_id(0).to(tl.int64)
    first = i // N * N
    k = tl.arange(0, BK)
    k_in = k < K
    for start in range(0, N, BJ):
        j = start + tl.arange(0, BJ)
        j_in = j < N
        pair = i * N + j
        atom = first + j
        r_in = j_in[:, None] & k_in[None, :]
        r = tl.load(radial + pair[:, None] * K + k[None, :], mask=r_in, other=0.0)
        d = directions + pair * 3
        d_1 = tl.load(d, mask=j_in, other=0.0)
        d_2 = tl.load(d + 1, mask=j_in, other=0.0)
        d_3 = tl.load(d + 2, mask=j_in, other=0.0)
        by_r = tl.zeros([BJ, BK], tl.float32)
        by_1 = tl.zeros([BJ], tl.float32)
        by_2 = tl.zeros([BJ], tl.float32)
        by_3 = tl.zeros([BJ], tl.float32)
        for block in range(0, F, BF):
            f = block + tl.arange(0, BF)
            f_in = f < F
            both = j_in[:, None] & f_in[None, :]
            w = weight + f[:, None] * K + k[None, :]
            w_in = f_in[:, None] & k_in[None, :]
            w_q = tl.load(w, mask=w_in, other=0.0)
            w_r = tl.load(w + F * K, mask=w_in, other=0.0)
            gradient = tl.load(g_q + i * F + f, mask=f_in, other=0.0)
            vector = g_mu + i * (3 * F) + f
            g_1 = tl.load(vector, mask=f_in, other=0.0)
            g_2 = tl.load(vector + F, mask=f_in, other=0.0)
            g_3 = tl.load(vector + 2 * F, mask=f_in, other=0.0)
            context = x + atom[:, None] * (3 * F) + f[None, :]
            x_r = tl.load(context + F, mask=both, other=0.0)
            by_r += _product(tl.load(context, mask=both, other=0.0) * gradient[None, :], w_q, PRECISION)
            along = d_1[:, None] * g_1[None, :] + d_2[:, None] * g_2[None, :] + d_3[:, None] * g_3[None, :]
            by_r += _product(x_r * along, w_r, PRECISION)
            passed = _product(r, tl.trans(w_r), PRECISION) * x_r
            by_1 += tl.sum(passed * g_1[None, :], 1)
            by_2 += tl.sum(passed * g_2[None, :], 1)
            by_3 += tl.sum(passed * g_3[None, :], 1)
            if HAS_MU:
                w_m = tl.load(w + 2 * F * K, mask=w_in, other=0.0)
                v = mu + atom[:, None] * (3 * F) + f[None, :]
                onto = tl.load(v, mask=both, other=0.0) * g_1[None, :]
                onto += tl.load(v + F, mask=both, other=0.0) * g_2[None, :]
                onto += tl.load(v + 2 * F, mask=both, other=0.0) * g_3[None, :]
                by_r += _product(tl.load(context + 2 * F, mask=both, other=0.0) * onto, w_m, PRECISION)
        tl.store(g_radial + pair[:, None] * K + k[None, :], by_r, mask=r_in)
        out = g_directions + pair * 3
        tl.store(out, by_1, mask=j_in)
        tl.store(out + 1, by_2, mask=j_in)
        tl.store(out + 2, by_3, mask=j_in)


@triton.jit
def mix_in_forward(q, vw, context, dots, epsilon, F: tl.constexpr, O: tl.constexpr, BF: tl.constexpr, BO: tl.constexpr):
    """Context [q, |V|] [A, F + O] and dots V . W [A, O] of q [A, F] and vw = V, W [A, 3, 2O]: a program for each atom."""
    a = tl.program_id(0).to(tl.int64)
    f = tl.arange(0, BF)
    tl.store(context + a * (F + O) + f, tl.load(q + a * F + f, mask=f < F, other=0.0), mask=f < F)
    o = tl.arange(0, BO)
    o_in = o < O
    squares = tl.zeros([BO], tl.float32)
    products = tl.zeros([BO], tl.float32)
    for c in tl.static_range(3):
        v = tl.load(vw + (a * 3 + c) * (2 * O) + o, mask=o_in, other=0.0)
        w = tl.load(vw + (a * 3 + c) * (2 * O) + O + o, mask=o_in, other=0.0)
        squares += v * v
        products += v * w
    tl.store(context + a * (F + O) + F + o, tl.sqrt(squares + epsilon), mask=o_in)
    tl.store(dots + a * O + o, products, mask=o_in)


@triton.jit
def mix_in_backward(
    vw, context, g_context, g_dots, g_w, g_q, g_vw, F: tl.constexpr, O: tl.constexpr, BF: tl.constexpr, BO: tl.constexpr
):
    """Gradients by q and vw from those by context, dots and W: a program for each atom."""
    a = tl.program_id(0).to(tl.int64)
    f = tl.arange(0, BF)
    tl.store(g_q + a * F + f, tl.load(g_context + a * (F + O) + f, mask=f < F, other=0.0), mask=f < F)
    o = tl.arange(0, BO)
    o_in = o < O
    length = tl.load(context + a * (F + O) + F + o, mask=o_in, other=1.0)
    by_length = tl.load(g_context + a * (F + O) + F + o, mask=o_in, other=0.0) / length
    by_dot = tl.load(g_dots + a * O + o, mask=o_in, other=0.0)
    for c in tl.static_range(3):
        row = (a * 3 + c) * (2 * O) + o
        v = tl.load(vw + row, mask=o_in, other=0.0)
        w = tl.load(vw + row + O, mask=o_in, other=0.0)
        tl.store(g_vw + row, by_length * v + by_dot * w, mask=o_in)
        tl.store(g_vw + row + O, tl.load(g_w + (a * 3 + c) * O + o, mask=o_in, other=0.0) + by_dot * v, mask=o_in)


@triton.jit
def mix_out_forward(q, mu, y, vw, dots, out_q, out_mu, F: tl.constexpr, BF: tl.constexpr):
    """Q + y_q + y_dots dots [A, F] and mu + y_mu W [A, 3, F] from y [A, 3F] and vw = V, W [A, 3, 2F]: a program for each atom."""
    a = tl.program_id(0).to(tl.int64)
    f = tl.arange(0, BF)
    f_in = f < F
    y_q = tl.load(y + a * (3 * F) + f, mask=f_in, other=0.0)
    y_mu = tl.load(y + a * (3 * F) + F + f, mask=f_in, other=0.0)
    y_dots = tl.load(y + a * (3 * F) + 2 * F + f, mask=f_in, other=0.0)
    dot = tl.load(dots + a * F + f, mask=f_in, other=0.0)
    tl.store(out_q + a * F + f, tl.load(q + a * F + f, mask=f_in, other=0.0) + y_q + y_dots * dot, mask=f_in)
    for c in tl.static_range(3):
        row = (a * 3 + c) * F + f
        w = tl.load(vw + (a * 3 + c) * (2 * F) + F + f, mask=f_in, other=0.0)
        tl.store(out_mu + row, tl.load(mu + row, mask=f_in, other=0.0) + y_mu * w, mask=f_in)


@triton.jit
def mix_out_backward(y, vw, dots, g_q, g_mu, g_y, g_w, g_dots, F: tl.constexpr, BF: tl.constexpr):
    """Gradients by y, W [A, 3, F] and dots from those by the results: a program for each atom."""
    a = tl.program_id(0).to(tl.int64)
    f = tl.arange(0, BF)
    f_in = f < F
    y_mu = tl.load(y + a * (3 * F) + F + f, mask=f_in, other=0.0)
    y_dots = tl.load(y + a * (3 * F) + 2 * F + f, mask=f_in, other=0.0)
    gradient = tl.load(g_q + a * F + f, mask=f_in, other=0.0)
    by_mu = tl.zeros([BF], tl.float32)
    for c in tl.static_range(3):
        row = (a * 3 + c) * F + f
        vector = tl.load(g_mu + row, mask=f_in, other=0.0)
        by_mu += vector * tl.load(vw + (a * 3 + c) * (2 * F) + F + f, mask=f_in, other=0.0)
        tl.store(g_w + row, vector * y_mu, mask=f_in)
    tl.store(g_y + a * (3 * F) + f, gradient, mask=f_in)
    tl.store(g_y + a * (3 * F) + F + f, by_mu, mask=f_in)
    tl.store(g_y + a * (3 * F) + 2 * F + f, gradient * tl.load(dots + a * F + f, mask=f_in, other=0.0), mask=f_in)
    tl.store(g_dots + a * F + f, gradient * y_dots, mask=f_in)
