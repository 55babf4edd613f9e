// Loops over libtorch's own threads.

#pragma once

#include "Support.h"

#include <algorithm>
#include <atomic>
#include <exception>

#include <dlfcn.h>

#include <ATen/Parallel.h>

namespace ctorch {

/// The entry to the pool of threads that libtorch computes with, by the name that every OpenMP library for libtorch
/// has; null without such a library. `at::parallel_for` reaches it only where the compiler itself makes OpenMP's calls,
/// which would be to a pool of its own.
using ParallelEntry = void (*)(void (*body)(void *), void *data, unsigned threads, unsigned flags);

inline ParallelEntry parallelEntry() {
    static const auto entry = reinterpret_cast<ParallelEntry>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
    return entry;
}

/// Calls `body(first, end)` for pieces that together are `begin..<end`, on as many threads as libtorch may use and
/// there are `grain`s; at once where one is enough, or in a piece of another loop. The first exception of a piece is
/// thrown on.
template <typename Body>
void parallelFor(int64_t begin, int64_t end, int64_t grain, const Body &body) {
    if (begin >= end) return;
    const int64_t most = (end - begin + grain - 1) / grain;
    const int64_t threads = std::min<int64_t>(most, at::get_num_threads());
    if (threads <= 1 || at::in_parallel_region() || !parallelEntry()) {
        c10::ParallelGuard guard(true);
        body(begin, end);
        return;
    }
    struct Work {
        int64_t begin, end, size;
        const Body &body;
        std::atomic<int> next{0};
        std::atomic<bool> failed{false};
        std::exception_ptr failure{};
    };
    Work work{begin, end, (end - begin + threads - 1) / threads, body};
    const auto runPieces = [](void *data) {
        Work &work = *static_cast<Work *>(data);
        // A pool may have fewer threads than were asked for: then one takes several pieces.
        for (;;) {
            const int index = work.next++;
            const int64_t first = work.begin + index * work.size;
            if (first >= work.end) return;
            try {
                at::internal::ThreadIdGuard thread(index);
                c10::ParallelGuard guard(true);
                work.body(first, std::min(work.end, first + work.size));
            } catch (...) {
                if (!work.failed.exchange(true)) work.failure = std::current_exception();
            }
        }
    };
    parallelEntry()(runPieces, &work, static_cast<unsigned>(threads), 0);
    if (work.failure) std::rethrow_exception(work.failure);
}

}  // namespace ctorch
