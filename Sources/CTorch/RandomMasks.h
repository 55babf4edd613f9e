// The stream that dropout's masks come from.

#pragma once

#include <torch/torch.h>

#include "Kernels/Kernels.h"
#include "Support.h"

namespace ctorch {

/// The next `blocks` of the stream, to drop elements with `probability`, in steps of 2^-16; what is kept is scaled by
/// one over the share that really is. Nothing is drawn where that is all.
Mask drawMask(double probability, int64_t blocks);

/// Keeps a mask for the backward pass, which makes its bits anew.
void save(const Mask &mask, torch::autograd::AutogradContext *context);
Mask savedMask(torch::autograd::AutogradContext *context);

/// A place in the stream that dropout draws from on a device: on CUDA a seed and an offset of its own generator.
struct StreamPlace {
    uint64_t key = 0, counter = 0;
};
StreamPlace streamPlace(at::Device device);
void setStreamPlace(at::Device device, const StreamPlace &place);

}  // namespace ctorch
