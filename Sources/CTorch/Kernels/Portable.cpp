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

const ctorch::Kernels &ctorch::kernels() {
#if defined(__x86_64__)
    static const Kernels &chosen = [&]() -> const Kernels & {
        const char *limit = std::getenv("CAMTL_CPU_CAPABILITY");
        const std::string_view name = limit ? limit : "";
        if (name == "portable") return portableKernels;
        const bool hasAVX2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        if (hasAVX512() && name != "avx2") return avx512Kernels;
        return hasAVX2 ? avx2Kernels : portableKernels;
    }();
    return chosen;
#else
    return portableKernels;
#endif
}
