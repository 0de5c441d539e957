// PaiNN on a CPU, without padding: molecules of any sizes lie one after another. Compiled once for each instruction set.
#include "kernels.h"

#include "inference.h"
#include "messages.h"
#include "mixing.h"
#include "optimisers.h"
#include "pairs.h"
#include "training.h"

namespace {

constexpr Kernels TABLE{
    sizeof(Kernels),
    INSTRUCTION_SET,
    find_pairs,
    describe_pairs,
    pack_filters,
    unpack_filters,
    message_forward,
    message_backward,
    message_backward_twice,
    mix_in,
    mix_in_backward,
    mix_in_backward_twice,
    mix_out,
    mix_out_backward,
    mix_out_backward_twice,
    silu,
    silu_backward,
    silu_backward_twice,
    pack_product,
    infer,
    represent_forward,
    represent_backward,
    lbfgs_direction,
    mix,
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const Kernels* morered_kernels() { return &TABLE; }
