#include "Common.h"

#if defined(__x86_64__)
#define CTORCH_KERNELS avx2Kernels
#define CTORCH_KERNELS_NAME "avx2"
#define CTORCH_TILE_ROWS 4
#define CTORCH_TILE_VECTORS 1
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#include "Loops.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
