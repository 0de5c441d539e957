// PaiNN on a CPU, without padding: molecules of any sizes lie one after another.
//
// Shapes: B molecules, A atoms, P pairs, F features (a multiple of 16), K radial functions, K1 = K + 1, L = K1 rounded up to a
// multiple of 8, O outgoing features. Arrays are contiguous, rows in the order of their indices; numbers are float32. A pair (i <
// j) is kept once: its filters are the same in both directions, its direction has the other sign.
//
// Prefixes: `g_` is the derivative of a loss (or an energy) by what follows; `h_` is the derivative of a second loss by such a
// `g_`, and `o_` that second loss's derivative by what follows. Kernels take the range of molecules or atoms that they are to
// work on.
#include "inference.h"
#include "messages.h"
#include "mixing.h"
#include "moves.h"
#include "pairs.h"
#include "training.h"
