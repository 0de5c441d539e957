// What computing a network takes: its layers' steps, and memory for what goes through them.
#pragma once
#include "messages.h"
#include "mixing.h"
#include "products.h"

namespace {

// Memory handed out in one piece after another, the same for each group of molecules.
class Memory {
  public:
    float* take(int64_t count) {
        const int64_t at = used_;
        used_ += (count + LANES - 1) / LANES * LANES;
        if (used_ + LANES > int64_t(storage_.size())) grown_ = true;  // what is aligned begins up to a vector further on
        return grown_ ? extra(count) : aligned() + at;
    }
    void reset() {
        if (grown_) storage_.resize(used_ + LANES);
        extras_.clear();
        used_ = 0;
        grown_ = false;
    }

  private:
    float* aligned() { return reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(storage_.data()) + BYTES - 1) / BYTES * BYTES); }
    float* extra(int64_t count) {
        extras_.emplace_back(count + 1);
        return extras_.back().data();
    }
    std::vector<float> storage_;
    std::vector<std::vector<float>> extras_;
    int64_t used_ = 0;
    bool grown_ = false;
};

}  // namespace
