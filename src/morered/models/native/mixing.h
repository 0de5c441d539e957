// Scalars and vectors of one atom change each other (PaiNN, Eqs. 9 and 10): what stands between the products with weights.
#pragma once
#include <cmath>

#include "vectors.h"

namespace {

// Mixing, first half: vw [A, 3, 2O] holds V and W side by side. context [A, F + O] = (q, |V|), dots [A, O] = V . W.
void mix_in(int64_t a0, int64_t a1, int64_t F, int64_t O, float epsilon, const float* q, const float* vw, float* context,
            float* dots) {
    for (int64_t a = a0; a < a1; ++a) {
        const float* __restrict v = vw + 6 * O * a, * __restrict w = v + O, * __restrict qa = q + F * a;
        float* __restrict scalars = context + (F + O) * a, * __restrict lengths = scalars + F, * __restrict dot = dots + O * a;
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
        const float* __restrict v = vw + 6 * O * a, * __restrict w = v + O, * __restrict lengths = context + (F + O) * a + F;
        const float* __restrict gs = g_context + (F + O) * a, * __restrict gl = gs + F, * __restrict gd = g_dots + O * a;
        const float* __restrict gw = g_w + 3 * O * a;
        float* __restrict gq = g_q + F * a, * __restrict out_v = g_vw + 6 * O * a, * __restrict out_w = out_v + O;
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
void mix_in_backward_twice(int64_t a0, int64_t a1, int64_t F, int64_t O, const float* vw, const float* context,
                           const float* g_context, const float* g_dots, const float* h_q, const float* h_vw, float* o_vw,
                           float* o_g_context, float* o_g_dots, float* o_g_w) {
    for (int64_t a = a0; a < a1; ++a) {
        const float* __restrict v = vw + 6 * O * a, * __restrict w = v + O, * __restrict lengths = context + (F + O) * a + F;
        const float* __restrict gl = g_context + (F + O) * a + F, * __restrict gd = g_dots + O * a;
        const float* __restrict hq = h_q + F * a, * __restrict hv = h_vw + 6 * O * a, * __restrict hw = hv + O;
        float* __restrict ov = o_vw + 6 * O * a, * __restrict ow = ov + O, * __restrict os = o_g_context + (F + O) * a;
        float* __restrict ol = os + F, * __restrict od = o_g_dots + O * a, * __restrict ogw = o_g_w + 3 * O * a;
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

// Mixing, second half: y [A, 3F] in the parts (q, mu, q-mu). q_out = q + y_q + y_qmu dots, mu_out = mu + y_mu W. w_rows points to
// the first W in vw.
void mix_out(int64_t a0, int64_t a1, int64_t F, const float* q, const float* mu, const float* y, const float* w_rows,
             const float* dots, float* q_out, float* mu_out) {
    for (int64_t a = a0; a < a1; ++a) {
        const float* __restrict y0 = y + 3 * F * a, * __restrict y1 = y0 + F, * __restrict y2 = y1 + F;
        const float* __restrict w = w_rows + 6 * F * a;
        const float* __restrict qa = q + F * a, * __restrict dot = dots + F * a, * __restrict m = mu + 3 * F * a;
        float* __restrict qo = q_out + F * a, * __restrict mo = mu_out + 3 * F * a;
        for (int64_t f = 0; f < F; ++f) qo[f] = qa[f] + y0[f] + y2[f] * dot[f];
        for (int c = 0; c < 3; ++c)
            for (int64_t f = 0; f < F; ++f) mo[F * c + f] = m[F * c + f] + y1[f] * w[2 * F * c + f];
    }
}

void mix_out_backward(int64_t a0, int64_t a1, int64_t F, const float* y, const float* w_rows, const float* dots, const float* g_q,
                      const float* g_mu, float* g_y, float* g_dots, float* g_w) {
    for (int64_t a = a0; a < a1; ++a) {
        const float* __restrict y1 = y + 3 * F * a + F, * __restrict y2 = y1 + F, * __restrict w = w_rows + 6 * F * a;
        const float* __restrict dot = dots + F * a, * __restrict gq = g_q + F * a, * __restrict gm = g_mu + 3 * F * a;
        float* __restrict gy0 = g_y + 3 * F * a, * __restrict gy1 = gy0 + F, * __restrict gy2 = gy1 + F;
        float* __restrict gd = g_dots + F * a, * __restrict gw = g_w + 3 * F * a;
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
void mix_out_backward_twice(int64_t a0, int64_t a1, int64_t F, const float* y, const float* w_rows, const float* dots,
                            const float* g_q, const float* g_mu, const float* h_y, const float* h_dots, const float* h_w,
                            float* o_y, float* o_w, float* o_dots, float* o_g_q, float* o_g_mu) {
    for (int64_t a = a0; a < a1; ++a) {
        const float* __restrict y1 = y + 3 * F * a + F, * __restrict y2 = y1 + F, * __restrict w = w_rows + 6 * F * a;
        const float* __restrict dot = dots + F * a, * __restrict gq = g_q + F * a, * __restrict gm = g_mu + 3 * F * a;
        const float* __restrict h0 = h_y + 3 * F * a, * __restrict h1 = h0 + F, * __restrict h2 = h1 + F;
        const float* __restrict hd = h_dots + F * a, * __restrict hw = h_w + 3 * F * a;
        float* __restrict o0 = o_y + 3 * F * a, * __restrict o1 = o0 + F, * __restrict o2 = o1 + F;
        float* __restrict ow = o_w + 3 * F * a;
        float* __restrict od = o_dots + F * a, * __restrict oq = o_g_q + F * a, * __restrict om = o_g_mu + 3 * F * a;
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

}  // namespace
