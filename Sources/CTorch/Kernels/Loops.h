// The loops, compiled once for each instruction set, from vectors that the compiler cuts to that set's registers.
//
// No sum depends on a register's width: with the same products the results are the same bits whatever the set. Products
// and sums become one instruction where the set has it, in attention and in the activation alone.

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"
CTORCH_UNFUSED

#include "Vectors.h"

#include "RowLoops.h"

#include "AttentionLoops.h"

#undef CTORCH_INLINE

namespace ctorch {

const Kernels CTORCH_KERNELS = {
    CTORCH_KERNELS_NAME, dropout, norm, normBackward, gelu, geluBackward, adam, attentionScratch, attention,
    attentionBackward,
};

}  // namespace ctorch

CTORCH_UNFUSED
#pragma GCC diagnostic pop
