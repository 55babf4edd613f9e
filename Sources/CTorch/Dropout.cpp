// Dropout whose mask is a function of a counter: parallel, the same at any number of threads, and not kept for the
// backward pass, which makes it anew.

#include "Support.h"

#include <atomic>

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <torch/torch.h>

using namespace ctorch;

namespace {

// The stream all masks come from. A mask takes one counter value for every two elements.
std::atomic<uint64_t> streamKey{0x9e3779b97f4a7c15};
std::atomic<uint64_t> streamCounter{0};

/// 64 random bits for a counter value: Widynski, "Squares: A Fast Counter-Based RNG" (2020), squares64.
inline uint64_t squares(uint64_t counter, uint64_t key) {
    const auto turn = [](uint64_t x) { return (x >> 32) | (x << 32); };
    const uint64_t y = counter * key, z = y + key;
    uint64_t x = y;
    x = turn(x * x + y);
    x = turn(x * x + z);
    x = turn(x * x + y);
    const uint64_t t = x * x + z;
    x = turn(t);
    return t ^ ((x * x + y) >> 32);
}

at::Tensor masked(const at::Tensor &source, double probability, uint64_t key, uint64_t counter) {
    const at::Tensor input = source.contiguous();
    at::Tensor output = at::empty_like(input);
    const auto threshold = static_cast<uint32_t>(probability * 4294967296.0);
    AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), "dropout", [&] {
        const scalar_t scale = static_cast<scalar_t>(1 / (1 - probability));
        const scalar_t *from = input.const_data_ptr<scalar_t>();
        scalar_t *to = output.data_ptr<scalar_t>();
        const int64_t count = input.numel();
        at::parallel_for(0, (count + 1) / 2, /*grain=*/8192, [&](int64_t begin, int64_t end) {
            for (int64_t pair = begin; pair < end; ++pair) {
                const uint64_t bits = squares(counter + static_cast<uint64_t>(pair), key);
                const int64_t i = 2 * pair;
                to[i] = static_cast<uint32_t>(bits) >= threshold ? from[i] * scale : scalar_t(0);
                if (i + 1 < count) {
                    to[i + 1] = static_cast<uint32_t>(bits >> 32) >= threshold ? from[i + 1] * scale : scalar_t(0);
                }
            }
        });
    });
    return output;
}

struct CounterDropout : torch::autograd::Function<CounterDropout> {
    static at::Tensor forward(
        torch::autograd::AutogradContext *context, const at::Tensor &source, double probability, int64_t key,
        int64_t counter) {
        context->saved_data["probability"] = probability;
        context->saved_data["key"] = key;
        context->saved_data["counter"] = counter;
        return masked(source, probability, static_cast<uint64_t>(key), static_cast<uint64_t>(counter));
    }

    static torch::autograd::variable_list backward(
        torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
        const at::Tensor gradient = masked(
            gradients[0], context->saved_data["probability"].toDouble(),
            static_cast<uint64_t>(context->saved_data["key"].toInt()),
            static_cast<uint64_t>(context->saved_data["counter"].toInt()));
        return {gradient, at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

}  // namespace

at::Tensor ctorch::dropout(const at::Tensor &source, double probability) {
    TORCH_CHECK(
        probability >= 0 && probability < 1, "dropout takes a probability from 0 to below 1, not ", probability);
    if (!source.device().is_cpu()) return at::dropout(source, probability, /*train=*/true);
    const uint64_t counters = static_cast<uint64_t>(source.numel() + 1) / 2;
    return CounterDropout::apply(
        source, probability, static_cast<int64_t>(streamKey.load()),
        static_cast<int64_t>(streamCounter.fetch_add(counters)));
}

bool ct_seed(uint64_t seed) {
    return action([&] {
        torch::manual_seed(seed);
        // The generator needs an odd key whose bits are well mixed.
        uint64_t key = seed + 0x9e3779b97f4a7c15;
        key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9;
        key = (key ^ (key >> 27)) * 0x94d049bb133111eb;
        streamKey = (key ^ (key >> 31)) | 1;
        streamCounter = 0;
    });
}

void ct_random_state(uint64_t *key, uint64_t *counter) {
    *key = streamKey;
    *counter = streamCounter;
}

void ct_set_random_state(uint64_t key, uint64_t counter) {
    streamKey = key;
    streamCounter = counter;
}

CTTensor ct_dropout(CTTensor source, double probability) {
    return tensor([&] { return dropout(source->value, probability); });
}
