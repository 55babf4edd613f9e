// What the versions of the loops include before any of their own functions is compiled for an instruction set.

#pragma once

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "Kernels.h"

// From where they stand, products and sums of one expression may become one instruction, or may not.
#if defined(__clang__)
#define CTORCH_FUSED _Pragma("STDC FP_CONTRACT ON")
#define CTORCH_UNFUSED _Pragma("STDC FP_CONTRACT OFF")
#else
#define CTORCH_FUSED _Pragma("GCC optimize(\"fp-contract=fast\")")
#define CTORCH_UNFUSED _Pragma("GCC optimize(\"fp-contract=off\")")
#endif
