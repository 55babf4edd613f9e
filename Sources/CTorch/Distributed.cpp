// Several processes that compute together, by libtorch's c10d: a store, collective operations, reduced gradients.

#include "Support.h"

#include <chrono>

#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#ifdef CTORCH_CUDA
#define USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

using namespace ctorch;
using std::chrono::milliseconds;

struct CTStoreImpl {
    c10::intrusive_ptr<c10d::Store> value;
};

struct CTProcessGroupImpl {
    c10::intrusive_ptr<c10d::ProcessGroup> value;
};

struct CTReducerImpl {
    std::unique_ptr<c10d::Reducer> value;
};

CTStore ct_store_connect(const char *host, uint16_t port, bool serves, int64_t timeout) {
    return guarded<CTStore>(nullptr, [&] {
        // What c10d would print of connections that it tries again is said by the error, if it comes to one.
        setenv("TORCH_CPP_LOG_LEVEL", "FATAL", /*overwrite=*/0);
        c10::initLogging();
        c10d::TCPStoreOptions options;
        options.port = port;
        options.isServer = serves;
        options.waitWorkers = false;
        options.timeout = milliseconds(timeout);
        return new CTStoreImpl{c10::make_intrusive<c10d::TCPStore>(host, options)};
    });
}

void ct_store_release(CTStore store) { delete store; }

bool ct_store_set(CTStore store, const char *key, const void *bytes, size_t count) {
    return action([&] {
        const auto *first = static_cast<const uint8_t *>(bytes);
        store->value->set(key, std::vector<uint8_t>(first, first + count));
    });
}

CTTensor ct_store_get(CTStore store, const char *key, int64_t timeout) {
    return tensor([&] {
        store->value->wait({key}, milliseconds(timeout));
        const std::vector<uint8_t> bytes = store->value->get(key);
        return at::tensor(bytes, at::kByte);
    });
}

int32_t ct_store_has(CTStore store, const char *key) {
    return guarded<int32_t>(-1, [&] { return store->value->check({key}) ? 1 : 0; });
}

int64_t ct_store_add(CTStore store, const char *key, int64_t number) {
    return guarded<int64_t>(-1, [&] { return store->value->add(key, number); });
}

namespace {

/// Adds NCCL for a device's tensors.
void addDevice(
    c10d::ProcessGroup &group, const c10::intrusive_ptr<c10d::Store> &store, at::Device device, int64_t timeout) {
#ifdef CTORCH_CUDA
    // A process that another one keeps waiting is ended by whoever waits in it, with a message, and not by NCCL's own
    // watch with a trace. The reducer waits in every pass that leaves a decoder unused, without a limit unless NCCL's
    // waiting has one.
    setenv("TORCH_NCCL_BLOCKING_WAIT", "1", /*overwrite=*/0);
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = milliseconds(timeout);
    const auto backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(
        c10::make_intrusive<c10d::PrefixStore>("nccl", store), group.getRank(), group.getSize(), options);
    backend->setBoundDeviceId(device);
    group.setBackend(device.type(), c10d::ProcessGroup::BackendType::NCCL, c10::intrusive_ptr<c10d::Backend>(backend));
#else
    TORCH_CHECK(false, "this build exchanges nothing between ", device, " and others: it was made without NCCL");
#endif
}

}  // namespace

CTProcessGroup ct_process_group(
    CTStore store, const char *name, int32_t rank, int32_t size, int64_t timeout, int32_t type, int32_t index) {
    return guarded<CTProcessGroup>(nullptr, [&] {
        const auto own = c10::make_intrusive<c10d::PrefixStore>(name, store->value);
        auto options = c10d::ProcessGroupGloo::Options::create_default(milliseconds(timeout));
        // One operation after the other: with two at a time Gloo's ring has been seen to read a buffer that was gone.
        options->threads = 1;
        const auto backend = c10::make_intrusive<c10d::ProcessGroupGloo>(own, rank, size, options);
        auto group = c10::make_intrusive<c10d::ProcessGroup>(own, rank, size);
        group->setBackend(
            c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, c10::intrusive_ptr<c10d::Backend>(backend));
        group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
        const at::Device device = deviceOf(type, index);
        if (!device.is_cpu()) addDevice(*group, own, device, timeout);
        return new CTProcessGroupImpl{std::move(group)};
    });
}

void ct_process_group_release(CTProcessGroup group) { delete group; }

bool ct_all_reduce(CTProcessGroup group, CTTensor tensor) {
    return action([&] {
        std::vector<at::Tensor> tensors{tensor->value.detach()};
        group->value->allreduce(tensors)->wait();
    });
}

CTReducer ct_reducer(CTProcessGroup group, const CTTensor *parameters, const bool *isSparse, size_t count) {
    return guarded<CTReducer>(nullptr, [&] {
        const std::vector<at::Tensor> tensors = list(parameters, count);
        const std::vector<bool> sparse(isSparse, isSparse + count);
        // As torch.nn.parallel.DistributedDataParallel has it: the last parameters' gradients are ready first, and a
        // small first bucket starts the exchange early.
        const std::vector<size_t> limits{c10d::kDefaultFirstBucketBytes, c10d::kDefaultBucketBytesCap};
        auto buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(tensors, limits, sparse));
        std::reverse(buckets.begin(), buckets.end());
        return new CTReducerImpl{std::make_unique<c10d::Reducer>(
            tensors, std::move(buckets), group->value, sparse, c10d::kDefaultBucketBytesCap,
            /*find_unused_parameters=*/true, /*gradient_as_bucket_view=*/true,
            std::unordered_map<size_t, std::string>(), c10d::kDefaultFirstBucketBytes,
            /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false, std::vector<int64_t>())};
    });
}

void ct_reducer_release(CTReducer reducer) { delete reducer; }

bool ct_reducer_prepare(CTReducer reducer, CTTensor loss) {
    return action([&] { reducer->value->prepare_for_backward({loss->value}); });
}
