// Several processes that compute together, by libtorch's c10d: a store, collective operations, reduced gradients.

#include "Support.h"

#include <chrono>
#include <set>

#include <unistd.h>
#ifdef __linux__
#include <linux/filter.h>
#include <sys/resource.h>
#include <sys/socket.h>
#endif

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
    /// The socket that this process serves the store at, or -1.
    int listener = -1;
};

struct CTProcessGroupImpl {
    c10::intrusive_ptr<c10d::ProcessGroup> value;
};

struct CTReducerImpl {
    std::unique_ptr<c10d::Reducer> value;
};

namespace {

/// Makes a listening socket drop whatever comes from now on: connections that are there stay. Where the system can't,
/// the socket goes on listening.
void closeDoor(int listener) {
#ifdef SO_ATTACH_FILTER
    sock_filter dropAll{BPF_RET | BPF_K, 0, 0, 0};
    const sock_fprog filter{1, &dropAll};
    setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
#endif
}

/// The listening sockets of this process.
std::set<int> listeners() {
    std::set<int> found;
#ifdef __linux__
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    // What the program has open itself are small numbers; a limit may be beyond a billion.
    const int end = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 65'536));
    for (int descriptor = 0; descriptor < end; ++descriptor) {
        int listens = 0;
        socklen_t length = sizeof listens;
        if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens) {
            found.insert(descriptor);
        }
    }
#endif
    return found;
}

struct Seal {
    explicit Seal(CTSeal seal) : seal(seal) {}
    Seal(const Seal &) = delete;
    ~Seal() { seal.release(seal.context); }

    using Bytes = std::vector<uint8_t>;

    /// The code of `bytes` as a `kind`, so that that of a key is none of a value's.
    Bytes code(char kind, const std::string &key, const Bytes &bytes = {}) const {
        // The length before the key: no other key and value have the same bytes.
        Bytes message{static_cast<uint8_t>(kind)};
        for (int shift = 0; shift < 64; shift += 8) message.push_back(static_cast<uint64_t>(key.size()) >> shift & 255);
        message.insert(message.end(), key.begin(), key.end());
        message.insert(message.end(), bytes.begin(), bytes.end());
        Bytes result(size);
        seal.code(seal.context, message.data(), message.size(), result.data());
        return result;
    }

    static constexpr size_t size = 32;
    const CTSeal seal;
};

/// A store of those that share a secret, within one that all can reach.
class SealedStore : public c10d::Store {
public:
    using Bytes = std::vector<uint8_t>;
    using Keys = std::vector<std::string>;
    using Store::compareSet;
    using Store::set;

    SealedStore(c10::intrusive_ptr<c10d::Store> store, std::shared_ptr<const Seal> seal)
        : Store(store->getTimeout()), store_(std::move(store)), seal_(std::move(seal)) {}

    c10::intrusive_ptr<Store> clone() override { return c10::make_intrusive<SealedStore>(store_->clone(), seal_); }

    void set(const std::string &key, const Bytes &value) override { store_->set(name(key), sealed(key, value)); }

    Bytes compareSet(const std::string &key, const Bytes &expected, const Bytes &desired) override {
        return opened(
            key,
            store_->compareSet(
                name(key), expected.empty() ? expected : sealed(key, expected), sealed(key, desired)));
    }

    Bytes get(const std::string &key) override { return opened(key, store_->get(name(key))); }

    /// A number that the store adds to itself can carry no code.
    int64_t add(const std::string &key, int64_t number) override { return store_->add(name(key), number); }

    bool deleteKey(const std::string &key) override { return store_->deleteKey(name(key)); }
    bool check(const Keys &keys) override { return store_->check(names(keys)); }
    int64_t getNumKeys() override { return store_->getNumKeys(); }
    void wait(const Keys &keys) override { store_->wait(names(keys)); }
    void wait(const Keys &keys, const milliseconds &timeout) override { store_->wait(names(keys), timeout); }
    bool hasExtendedApi() const override { return false; }
    const milliseconds &getTimeout() const noexcept override { return store_->getTimeout(); }
    void setTimeout(const milliseconds &timeout) override { store_->setTimeout(timeout); }

private:
    /// What nobody without the secret can guess.
    std::string name(const std::string &key) const {
        std::string name = "camtl/";
        for (const uint8_t byte : seal_->code('k', key)) {
            name += "0123456789abcdef"[byte >> 4];
            name += "0123456789abcdef"[byte & 15];
        }
        return name;
    }

    Keys names(const Keys &keys) const {
        Keys result;
        for (const auto &key : keys) result.push_back(name(key));
        return result;
    }

    Bytes sealed(const std::string &key, const Bytes &value) const {
        Bytes result = seal_->code('v', key, value);
        result.insert(result.end(), value.begin(), value.end());
        return result;
    }

    Bytes opened(const std::string &key, const Bytes &stored) const {
        TORCH_CHECK(stored.size() >= Seal::size, CT_STORE_FORGED, " is at the key ", key);
        Bytes value(stored.begin() + Seal::size, stored.end());
        const Bytes code = seal_->code('v', key, value);
        uint8_t difference = 0;
        for (size_t i = 0; i < Seal::size; ++i) difference |= code[i] ^ stored[i];
        TORCH_CHECK(difference == 0, CT_STORE_FORGED, " is at the key ", key);
        return value;
    }

    const c10::intrusive_ptr<c10d::Store> store_;
    const std::shared_ptr<const Seal> seal_;
};

}  // namespace

CTStore ct_store_connect(const char *host, uint16_t port, int32_t listener, int64_t timeout) {
    return guarded<CTStore>(nullptr, [&] {
        // What c10d would print of connections that it tries again is said by the error, if it comes to one.
        setenv("TORCH_CPP_LOG_LEVEL", "FATAL", /*overwrite=*/0);
        c10::initLogging();
        c10d::TCPStoreOptions options;
        options.port = port;
        if (listener >= 0) {
            options.isServer = true;
            options.masterListenFd = listener;
        }
        options.waitWorkers = false;
        options.timeout = milliseconds(timeout);
        return new CTStoreImpl{c10::make_intrusive<c10d::TCPStore>(host, options), listener};
    });
}

CTStore ct_store_seal(CTStore store, CTSeal seal) {
    return guarded<CTStore>(nullptr, [&] {
        const auto shared = std::make_shared<const Seal>(seal);
        return new CTStoreImpl{c10::make_intrusive<SealedStore>(store->value, shared), store->listener};
    });
}

void ct_store_close_door(CTStore store) {
    if (store->listener >= 0) closeDoor(store->listener);
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

int32_t ct_store_claim(CTStore store, const char *key, const void *bytes, size_t count) {
    return guarded<int32_t>(-1, [&] {
        const auto *first = static_cast<const uint8_t *>(bytes);
        const std::vector<uint8_t> value(first, first + count);
        return store->value->compareSet(key, {}, value) == value ? 1 : 0;
    });
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
    CTStore store, const char *name, const char *address, int32_t rank, int32_t size, int64_t timeout, int32_t type,
    int32_t index) {
    return guarded<CTProcessGroup>(nullptr, [&] {
        const auto own = c10::make_intrusive<c10d::PrefixStore>(name, store->value);
        const std::set<int> before = listeners();
        auto options = address ? c10d::ProcessGroupGloo::Options::create(milliseconds(timeout))
                               : c10d::ProcessGroupGloo::Options::create_default(milliseconds(timeout));
        if (address) {
            options->devices = {c10d::ProcessGroupGloo::createDeviceForHostname(address, /*lazyInit=*/false)};
        }
        const std::set<int> doors = listeners();
        // One operation after the other: with two at a time Gloo's ring has been seen to read a buffer that was gone.
        options->threads = 1;
        const auto backend = c10::make_intrusive<c10d::ProcessGroupGloo>(own, rank, size, options);
        // Each is connected to all others now. Gloo keeps every further connection for good, also those that are closed
        // at once, and ends the process when it may open no more.
        for (const int door : doors) {
            if (before.count(door) == 0) closeDoor(door);
        }
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
