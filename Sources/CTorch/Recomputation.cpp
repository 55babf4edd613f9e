// Gradient checkpointing: a part of a model that keeps only what goes into it, and is computed again for its gradient.
//
// Chen, Xu, Zhang, Guestrin: Training deep nets with sublinear memory cost, 2016.

#include "Support.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include "RandomMasks.h"

using namespace ctorch;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

struct Body : torch::CustomClassHolder {
    CTRecomputedBody value;

    explicit Body(const CTRecomputedBody &value) : value(value) {}
    ~Body() override { value.release(value.context); }

    at::Tensor operator()(const variable_list &inputs) const {
        std::vector<CTTensorImpl> tensors;
        for (const at::Tensor &input : inputs) tensors.push_back({input});
        std::vector<CTTensor> handles;
        for (CTTensorImpl &tensor : tensors) handles.push_back(&tensor);
        const std::unique_ptr<CTTensorImpl> result(value.run(value.context, handles.data(), handles.size()));
        TORCH_CHECK(result, ct_last_error());
        return result->value;
    }
};

using BodyPointer = c10::intrusive_ptr<Body>;

struct Recomputation : torch::autograd::Function<Recomputation> {
    static at::Tensor forward(
        AutogradContext *context, const BodyPointer &body, int64_t inputCount, at::TensorList tensors) {
        const StreamPlace place = streamPlace(tensors[0].device());
        context->saved_data["body"] = c10::IValue::make_capsule(body);
        context->saved_data["inputs"] = inputCount;
        context->saved_data["key"] = static_cast<int64_t>(place.key);
        context->saved_data["counter"] = static_cast<int64_t>(place.counter);
        context->save_for_backward(tensors.vec());
        return (*body)(variable_list(tensors.begin(), tensors.begin() + inputCount));
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        const auto body = c10::static_intrusive_pointer_cast<Body>(context->saved_data["body"].toCapsule());
        const variable_list saved = context->get_saved_variables();
        const auto inputCount = static_cast<size_t>(context->saved_data["inputs"].toInt());
        const at::AutoGradMode recording(true);
        variable_list tensors = saved;
        for (size_t i = 0; i < inputCount; ++i) {
            tensors[i] = saved[i].detach().set_requires_grad(saved[i].requires_grad());
        }
        // The same masks as before.
        const at::Device device = saved[0].device();
        const StreamPlace place = streamPlace(device);
        setStreamPlace(
            device,
            {static_cast<uint64_t>(context->saved_data["key"].toInt()),
             static_cast<uint64_t>(context->saved_data["counter"].toInt())});
        const at::Tensor output = (*body)(variable_list(tensors.begin(), tensors.begin() + inputCount));
        setStreamPlace(device, place);
        variable_list wanted;
        for (const at::Tensor &tensor : tensors) {
            if (tensor.requires_grad()) wanted.push_back(tensor);
        }
        const variable_list found = torch::autograd::grad(
            {output}, wanted, {gradients[0]}, /*retain_graph=*/std::nullopt, /*create_graph=*/false,
            /*allow_unused=*/true);
        // None for the body and the count.
        variable_list result(2);
        size_t next = 0;
        for (const at::Tensor &tensor : tensors) {
            result.push_back(tensor.requires_grad() ? found[next++] : at::Tensor());
        }
        return result;
    }
};

}  // namespace

void ct_fail(const char *reason) { setLastError(reason); }

CTTensor ct_share(CTTensor source) { return wrap(source->value); }

CTTensor ct_recomputed(
    const CTTensor *inputs, size_t inputCount, const CTTensor *parameters, size_t parameterCount,
    CTRecomputedBody body) {
    return tensor([&] {
        variable_list tensors = list(inputs, inputCount);
        const variable_list others = list(parameters, parameterCount);
        tensors.insert(tensors.end(), others.begin(), others.end());
        return Recomputation::apply(
            c10::make_intrusive<Body>(body), static_cast<int64_t>(inputCount), at::TensorList(tensors));
    });
}
