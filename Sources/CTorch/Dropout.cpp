// Dropout whose mask is a function of a counter: parallel, the same at any number of threads, and not kept for the
// backward pass, which makes it anew.

#include <atomic>
#include <cmath>

#include <torch/csrc/autograd/custom_function.h>

#include "PackedLayout.h"
#include "RandomMasks.h"

using namespace ctorch;

namespace {

std::atomic<uint64_t> streamKey{0x9e3779b97f4a7c15};
std::atomic<uint64_t> streamCounter{0};

at::Tensor masked(const at::Tensor &source, const Mask &mask) {
    const at::Tensor input = source.contiguous();
    at::Tensor output = at::empty_like(input);
    const int64_t count = input.numel();
    const auto run = [&](auto body) {
        // In whole blocks, so that each element keeps its place in the stream.
        parallelFor(0, Mask::blocks(count), /*grain=*/1024, [&](int64_t begin, int64_t end) {
            body(begin * Mask::blockSize, std::min(count, end * Mask::blockSize));
        });
    };
    if (isFast(input)) {
        const float *from = floats(input);
        float *to = mutableFloats(output);
        run([&](int64_t begin, int64_t end) { kernels().dropout(mask, from, to, begin, end); });
        return output;
    }
    const at::Tensor factors = masked(at::ones({count}, input.options().dtype(at::kFloat)), mask);
    return input * factors.to(input.scalar_type()).view_as(input);
}

struct CounterDropout : torch::autograd::Function<CounterDropout> {
    static at::Tensor forward(
        torch::autograd::AutogradContext *context, const at::Tensor &source, double probability) {
        const Mask mask = drawMask(probability, Mask::blocks(source.numel()));
        save(mask, context);
        return masked(source, mask);
    }

    static torch::autograd::variable_list backward(
        torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
        return {masked(gradients[0], savedMask(context)), at::Tensor()};
    }
};

}  // namespace

Mask ctorch::drawMask(double probability, int64_t blocks) {
    TORCH_CHECK(
        probability >= 0 && probability < 1, "dropout takes a probability from 0 to below 1, not ", probability);
    const auto threshold = static_cast<uint32_t>(std::min(65535.0, std::round(probability * 65536)));
    if (threshold == 0) return Mask{0, 0, 0, 1};
    const uint64_t counters = static_cast<uint64_t>(blocks * Mask::countersPerBlock);
    return Mask{
        streamKey.load(), streamCounter.fetch_add(counters), threshold,
        static_cast<float>(1 / (1 - threshold / 65536.0))};
}

void ctorch::save(const Mask &mask, torch::autograd::AutogradContext *context) {
    context->saved_data["key"] = static_cast<int64_t>(mask.key);
    context->saved_data["counter"] = static_cast<int64_t>(mask.counter);
    context->saved_data["threshold"] = static_cast<int64_t>(mask.threshold);
    context->saved_data["scale"] = static_cast<double>(mask.scale);
}

Mask ctorch::savedMask(torch::autograd::AutogradContext *context) {
    return Mask{
        static_cast<uint64_t>(context->saved_data["key"].toInt()),
        static_cast<uint64_t>(context->saved_data["counter"].toInt()),
        static_cast<uint32_t>(context->saved_data["threshold"].toInt()),
        static_cast<float>(context->saved_data["scale"].toDouble())};
}

at::Tensor ctorch::dropout(const at::Tensor &source, double probability) {
    if (!source.device().is_cpu()) return at::dropout(source, probability, /*train=*/true);
    return CounterDropout::apply(source, probability);
}

bool ct_seed(uint64_t seed, int32_t device, int32_t index) {
    return action([&] {
        // The CPU's generator needs an odd key whose bits are well mixed.
        uint64_t key = seed + 0x9e3779b97f4a7c15;
        key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9;
        key = (key ^ (key >> 27)) * 0x94d049bb133111eb;
        setStreamPlace(deviceOf(device, index), {(key ^ (key >> 31)) | 1, 0});
    });
}

StreamPlace ctorch::streamPlace(at::Device device) {
    if (device.is_cpu()) return {streamKey.load(), streamCounter.load()};
    at::Generator generator = at::globalContext().defaultGenerator(device);
    const std::lock_guard<std::mutex> lock(generator.mutex());
    return {generator.current_seed(), generator.unsafeGetGeneratorImpl()->get_offset()};
}

void ctorch::setStreamPlace(at::Device device, const StreamPlace &place) {
    if (device.is_cpu()) {
        streamKey = place.key;
        streamCounter = place.counter;
        return;
    }
    at::Generator generator = at::globalContext().defaultGenerator(device);
    const std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_current_seed(place.key);
    // The generator hands out four numbers at a time.
    generator.set_offset((place.counter + 3) / 4 * 4);
}

bool ct_random_state(int32_t device, int32_t index, uint64_t *key, uint64_t *counter) {
    return action([&] {
        const StreamPlace place = streamPlace(deviceOf(device, index));
        *key = place.key;
        *counter = place.counter;
    });
}

bool ct_set_random_state(int32_t device, int32_t index, uint64_t key, uint64_t counter) {
    return action([&] { setStreamPlace(deviceOf(device, index), {key, counter}); });
}

CTTensor ct_dropout(CTTensor source, double probability) {
    return tensor([&] { return dropout(source->value, probability); });
}
