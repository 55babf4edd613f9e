#include "Common.h"

#if defined(__x86_64__)
#define CTORCH_KERNELS avx512Kernels
#define CTORCH_KERNELS_NAME "avx512"
#define CTORCH_TILE_ROWS 8
#define CTORCH_TILE_VECTORS 2
#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif
#include "Loops.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
