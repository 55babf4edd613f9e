#include "Common.h"

#define CTORCH_KERNELS portableKernels
#define CTORCH_KERNELS_NAME "portable"
#define CTORCH_TILE_ROWS 2
#define CTORCH_TILE_VECTORS 1
#include "Loops.h"

bool ctorch::hasAVX512() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

namespace {

using ctorch::Kernels;

/// The best loops for this processor, of which `limit` may leave out some.
const Kernels &best(std::string_view limit) {
#if defined(__x86_64__)
    if (limit == "portable") return ctorch::portableKernels;
    const bool hasAVX2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (ctorch::hasAVX512() && limit != "avx2") return ctorch::avx512Kernels;
    if (hasAVX2) return ctorch::avx2Kernels;
#endif
    return ctorch::portableKernels;
}

/// Null until they are asked for.
std::atomic<const Kernels *> chosen{nullptr};

}  // namespace

const Kernels &ctorch::kernels() {
    const Kernels *now = chosen.load(std::memory_order_relaxed);
    if (now) return *now;
    const char *limit = std::getenv("CAMTL_CPU_CAPABILITY");
    now = &best(limit ? limit : "");
    chosen.store(now, std::memory_order_relaxed);
    return *now;
}

bool ctorch::isLimited() { return &kernels() != &best(""); }

bool ctorch::limitKernels(std::string_view name) {
    const Kernels &found = best(name);
    if (!name.empty() && name != found.name) return false;
    chosen.store(&found, std::memory_order_relaxed);
    return true;
}
