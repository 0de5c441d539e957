// A compiled set of kernels, opened from its file.
#pragma once
#include <dlfcn.h>

#include <string>
#include <vector>

#include "arrays.h"
#include "kernels.h"

class Library {
  public:
    // It is never closed: its threads' memory is freed when they end.
    explicit Library(const char* path) {
        void* const handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!handle) throw std::runtime_error(dlerror());
        const auto kernels = reinterpret_cast<const Kernels* (*)()>(dlsym(handle, "morered_kernels"));
        if (!kernels) throw std::runtime_error(dlerror());
        table = kernels();
        if (table->size != sizeof(Kernels)) throw std::runtime_error(std::string(path) + " belongs to another build");
    }
    const Kernels* table;
};

// The instruction sets that this machine runs, best first.
inline std::vector<const char*> instruction_sets() {
    std::vector<const char*> sets;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw"))
        sets.push_back("avx512");
    if (avx2) sets.push_back("avx2");
#endif
    sets.push_back("baseline");
    return sets;
}
