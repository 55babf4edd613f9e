// Where the sequences of a packed batch stand.

#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <vector>

#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include "Parallel.h"
#include "Support.h"

namespace ctorch {

/// Sequences without padding, one after the other, each of a "slot": its task's position among those of the batch.
struct PackedLayout : torch::CustomClassHolder {
    /// Rows next to each other, of one slot.
    struct Piece {
        int64_t begin, end, slot;
    };

    /// The rows of a matrix: all tokens, or those that are read of the encoder's output, of each sequence its first
    /// tokens.
    struct Rows {
        int64_t count = 0;
        /// The slot of each row.
        std::vector<int64_t> slots;
        /// All rows, in pieces that one thread at a time works on.
        std::vector<Piece> pieces;

        void append(int64_t slot, int64_t rows);
    };

    /// The same as tensors, for operations of libtorch's.
    struct Indices {
        at::Device device;
        /// The places of a sequence in matrices that are padded.
        int64_t padded;
        /// The slot of each token, of each row that is read, and of each sequence.
        at::Tensor tokenSlots, readSlots, sequenceSlots;
        /// The place of each token among those of [sequences, padded].
        at::Tensor places;
        /// The same of the rows that are read, among [sequences, the most that are read of one]; undefined where one is
        /// read of each.
        at::Tensor readPlaces;
        /// What is added to the scores of each place as a key, in float32: [sequences, 1, 1, padded].
        at::Tensor penalties;

        const at::Tensor &slots(bool ofRead) const { return ofRead ? readSlots : tokenSlots; }
    };

    int64_t slotCount;
    int64_t longest = 0;
    /// The most rows that are read of a sequence.
    int64_t mostRead = 0;
    std::vector<int64_t> lengths;
    std::vector<int64_t> slots;
    /// The first token of each sequence.
    std::vector<int64_t> offsets;
    /// The rows that are read of each sequence, and the first of them.
    std::vector<int64_t> reads, readOffsets;
    /// The sequences from the longest to the shortest.
    std::vector<int64_t> byLength;
    /// Added to the scores of each token as a key: 0, or -10000 where it is padding. Empty where none is.
    std::vector<float> penalties;
    Rows tokens, read;

    PackedLayout(
        const int64_t *lengths, const int64_t *slots, size_t count, int64_t slotCount, const bool *visible,
        const int64_t *reads);

    const Rows &rows(bool ofRead) const { return ofRead ? read : tokens; }
    /// The rows of a sequence, and the first of them.
    int64_t rowCount(size_t sequence, bool ofRead) const { return ofRead ? reads[sequence] : lengths[sequence]; }
    int64_t firstRow(size_t sequence, bool ofRead) const { return ofRead ? readOffsets[sequence] : offsets[sequence]; }

    /// Made and copied to the device once for all layers.
    const Indices &indices(at::Device device) const;

private:
    mutable std::mutex mutex;
    mutable std::deque<Indices> known;
};

using PackedLayoutPointer = c10::intrusive_ptr<PackedLayout>;

/// The rows of a layout that a matrix has, as they are kept for the backward pass.
struct SavedRows {
    PackedLayoutPointer layout;
    bool ofRead;

    const PackedLayout::Rows &operator*() const { return layout->rows(ofRead); }
};

void save(const SavedRows &rows, torch::autograd::AutogradContext *context);
SavedRows savedRows(torch::autograd::AutogradContext *context);

/// Calls `body` with 0 ..< `count`, in any order, each thread taking the next as it comes free.
template <typename Body>
void forEachDynamically(int64_t count, const Body &body) {
    std::atomic<int64_t> next{0};
    parallelFor(0, std::min<int64_t>(count, at::get_num_threads()), /*grain=*/1, [&](int64_t begin, int64_t end) {
        for (int64_t thread = begin; thread < end; ++thread) {
            for (int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) body(i);
        }
    });
}

inline bool isFast(const at::Tensor &tensor) {
    return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat;
}

inline const float *floats(const at::Tensor &tensor) {
    return tensor.defined() ? static_cast<const float *>(tensor.const_data_ptr()) : nullptr;
}

inline float *mutableFloats(const at::Tensor &tensor) {
    return tensor.defined() ? static_cast<float *>(tensor.data_ptr()) : nullptr;
}

}  // namespace ctorch

struct CTLayoutImpl {
    ctorch::PackedLayoutPointer value;
};
