#include "PackedLayout.h"

#include <algorithm>
#include <numeric>

using namespace ctorch;

namespace {
// Few enough rows that a piece's share of a sum over rows is exact enough, and that threads get about equal work.
constexpr int64_t rowsOfAPiece = 64;

// What kernels for attention on CUDA devices want a row of scores to be a multiple of.
constexpr int64_t paddingUnit = 8;
}

void PackedLayout::Rows::append(int64_t slot, int64_t rows) {
    slots.insert(slots.end(), static_cast<size_t>(rows), slot);
    while (rows > 0) {
        const bool fits = !pieces.empty() && pieces.back().slot == slot
            && pieces.back().end - pieces.back().begin < rowsOfAPiece;
        if (!fits) pieces.push_back({count, count, slot});
        Piece &piece = pieces.back();
        const int64_t taken = std::min(rows, rowsOfAPiece - (piece.end - piece.begin));
        piece.end += taken;
        count += taken;
        rows -= taken;
    }
}

PackedLayout::PackedLayout(
    const int64_t *lengthList, const int64_t *slotList, size_t count, int64_t slotCount, const bool *visible,
    const int64_t *readList)
    : slotCount(slotCount), lengths(lengthList, lengthList + count), slots(slotList, slotList + count) {
    for (size_t i = 0; i < count; ++i) {
        TORCH_CHECK(lengths[i] > 0, "sequence ", i, " of a packed batch is empty");
        TORCH_CHECK(slots[i] >= 0 && slots[i] < slotCount, "sequence ", i, " is of slot ", slots[i], " of ", slotCount);
        offsets.push_back(tokens.count);
        tokens.append(slots[i], lengths[i]);
        reads.push_back(readList ? readList[i] : 1);
        TORCH_CHECK(
            reads[i] > 0 && reads[i] <= lengths[i], reads[i], " rows are read of sequence ", i, " of ", lengths[i]);
        readOffsets.push_back(read.count);
        read.append(slots[i], reads[i]);
        mostRead = std::max(mostRead, reads[i]);
        longest = std::max(longest, lengths[i]);
    }
    byLength.resize(count);
    std::iota(byLength.begin(), byLength.end(), 0);
    std::stable_sort(byLength.begin(), byLength.end(), [&](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
    if (!visible) return;
    for (int64_t token = 0; token < tokens.count; ++token) penalties.push_back(visible[token] ? 0.0f : -10000.0f);
}

const PackedLayout::Indices &PackedLayout::indices(at::Device device) const {
    const std::lock_guard<std::mutex> lock(mutex);
    for (const Indices &indices : known) {
        if (indices.device == device) return indices;
    }
    const auto count = static_cast<int64_t>(lengths.size());
    const int64_t padded = (longest + paddingUnit - 1) / paddingUnit * paddingUnit;
    std::vector<int64_t> places, readPlaces;
    // Far below what a token that may not be attended to gets, so that such a token comes before what isn't there.
    std::vector<float> keys(static_cast<size_t>(count * padded), -30000.0f);
    places.reserve(static_cast<size_t>(tokens.count));
    for (int64_t sequence = 0; sequence < count; ++sequence) {
        const auto index = static_cast<size_t>(sequence);
        for (int64_t position = 0; position < lengths[index]; ++position) {
            const int64_t place = sequence * padded + position;
            places.push_back(place);
            keys[static_cast<size_t>(place)] =
                penalties.empty() ? 0.0f : penalties[static_cast<size_t>(offsets[index] + position)];
        }
        for (int64_t row = 0; row < reads[index]; ++row) readPlaces.push_back(sequence * mostRead + row);
    }
    known.push_back(
        {device, padded, upload(tokens.slots, device), upload(read.slots, device), upload(slots, device),
         upload(places, device), mostRead > 1 ? upload(readPlaces, device) : at::Tensor(),
         upload(keys, device).view({count, 1, 1, padded})});
    return known.back();
}

void ctorch::save(const SavedRows &rows, torch::autograd::AutogradContext *context) {
    context->saved_data["layout"] = c10::IValue::make_capsule(rows.layout);
    context->saved_data["ofRead"] = rows.ofRead;
}

SavedRows ctorch::savedRows(torch::autograd::AutogradContext *context) {
    return SavedRows{
        c10::static_intrusive_pointer_cast<PackedLayout>(context->saved_data["layout"].toCapsule()),
        context->saved_data["ofRead"].toBool()};
}

CTLayout ct_layout(
    const int64_t *lengths, const int64_t *slots, size_t count, size_t slotCount, const bool *visible,
    const int64_t *reads) {
    return guarded<CTLayout>(nullptr, [&] {
        return new CTLayoutImpl{c10::make_intrusive<PackedLayout>(
            lengths, slots, count, static_cast<int64_t>(slotCount), visible, reads)};
    });
}

void ct_layout_release(CTLayout layout) { delete layout; }
