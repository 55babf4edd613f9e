// Attention of every token to its own sequence, without padding.

#include <cmath>

#include <torch/csrc/autograd/custom_function.h>

#include "Kernels/Kernels.h"
#include "PackedLayout.h"
#include "RandomMasks.h"

using namespace ctorch;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// What is worked on by one thread at a time: some heads of a sequence.
constexpr int64_t headsAtOnce = 4;

struct Shape {
    int64_t heads, blockHeight, blockWidth;
    bool ofRead;

    int64_t groups() const { return (heads + headsAtOnce - 1) / headsAtOnce; }
};

/// The first block of a sequence's masks among those of the batch.
std::vector<int64_t> maskOffsets(const PackedLayout &layout, const Shape &shape) {
    std::vector<int64_t> offsets{0};
    for (size_t i = 0; i < layout.lengths.size(); ++i) {
        offsets.push_back(
            offsets.back() + shape.heads * layout.rowCount(i, shape.ofRead) * Mask::blocks(layout.lengths[i]));
    }
    return offsets;
}

/// Blocks with zeros behind each row up to whole vectors of 16.
std::optional<at::Tensor> inWholeVectors(const std::optional<at::Tensor> &blocks) {
    if (!blocks) return std::nullopt;
    return at::constant_pad_nd(*blocks, {0, (16 - blocks->size(2) % 16) % 16}).contiguous();
}

struct Operands {
    at::Tensor query, key, value, queryBias, keyBias, valueBias;
    std::optional<at::Tensor> blocks;
};

/// Calls `body` with each head of each sequence as the loops take it, and with its first query and key, its number, its
/// group's and its sequence's. The heads of a group come one after the other.
template <typename Body>
void forEachHead(
    const PackedLayout &layout, const Shape &shape, const Operands &operands, const Mask &mask, const Body &body) {
    const int64_t hidden = operands.key.size(1), width = hidden / shape.heads, groups = shape.groups();
    const auto offsets = maskOffsets(layout, shape);
    forEachDynamically(static_cast<int64_t>(layout.lengths.size()) * groups, [&](int64_t task) {
        const int64_t sequence = layout.byLength[static_cast<size_t>(task / groups)], group = task % groups;
        const auto index = static_cast<size_t>(sequence);
        const int64_t keys = layout.lengths[index], queries = layout.rowCount(index, shape.ofRead);
        const int64_t firstKey = layout.offsets[index], firstQuery = layout.firstRow(index, shape.ofRead);
        for (int64_t h = group * headsAtOnce; h < std::min(shape.heads, (group + 1) * headsAtOnce); ++h) {
            AttentionHead head{};
            head.queries = queries;
            head.keys = keys;
            head.width = width;
            head.stride = hidden;
            head.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(width)));
            head.query = floats(operands.query) + firstQuery * hidden + h * width;
            head.key = floats(operands.key) + firstKey * hidden + h * width;
            head.value = floats(operands.value) + firstKey * hidden + h * width;
            head.queryBias = floats(operands.queryBias) + h * width;
            head.keyBias = floats(operands.keyBias) + h * width;
            head.valueBias = floats(operands.valueBias) + h * width;
            head.keyPenalty = layout.penalties.empty() ? nullptr : layout.penalties.data() + firstKey;
            if (operands.blocks) {
                head.blockHeight = shape.blockHeight;
                head.blockWidth = shape.blockWidth;
                head.blockStride = operands.blocks->size(2);
                head.blocks = floats(*operands.blocks)
                    + layout.slots[index] * operands.blocks->size(1) * head.blockStride;
            }
            head.mask = mask;
            head.mask.counter += static_cast<uint64_t>(
                (offsets[index] + h * queries * Mask::blocks(keys)) * Mask::countersPerBlock);
            head.logSumStride = shape.heads;
            body(head, firstQuery, firstKey, h, group, sequence);
        }
    });
}

float *scratch(int64_t size) {
    thread_local at::Tensor memory;
    if (!memory.defined() || memory.numel() < size) memory = at::empty({size}, at::kFloat);
    return mutableFloats(memory);
}

/// Sums rows of tokens [groups, tokens, stride] to those of slots and positions [slots, positions, block width], in the
/// order of the sequences.
at::Tensor sumByPosition(const at::Tensor &rows, const PackedLayout &layout, const Shape &shape, int64_t positions) {
    const int64_t groups = rows.size(0), count = rows.size(1), stride = rows.size(2), width = shape.blockWidth;
    at::Tensor result = at::zeros({layout.slotCount, positions, width}, rows.options());
    parallelFor(0, shape.ofRead ? layout.mostRead : positions, /*grain=*/16, [&](int64_t begin, int64_t end) {
        for (size_t sequence = 0; sequence < layout.lengths.size(); ++sequence) {
            const int64_t first = layout.firstRow(sequence, shape.ofRead);
            for (int64_t i = begin; i < std::min(end, layout.rowCount(sequence, shape.ofRead)); ++i) {
                float *to = mutableFloats(result) + (layout.slots[sequence] * positions + i) * width;
                for (int64_t group = 0; group < groups; ++group) {
                    const float *from = floats(rows) + (group * count + first + i) * stride;
                    for (int64_t j = 0; j < width; ++j) to[j] += from[j];
                }
            }
        }
    });
    return result;
}

struct PackedAttention : torch::autograd::Function<PackedAttention> {
    static at::Tensor forward(
        AutogradContext *context, const at::Tensor &query, const at::Tensor &key, const at::Tensor &value,
        const at::Tensor &queryBias, const at::Tensor &keyBias, const at::Tensor &valueBias,
        const std::optional<at::Tensor> &blocks, int64_t blockHeight, int64_t heads, double probability,
        const PackedLayoutPointer &layout, bool ofRead, bool needsBackward) {
        const Shape shape{heads, blockHeight, blocks ? blocks->size(2) : 0, ofRead};
        const Operands operands{
            query.contiguous(), key.contiguous(), value.contiguous(), queryBias, keyBias, valueBias,
            inWholeVectors(blocks)};
        const Mask mask = drawMask(probability, maskOffsets(*layout, shape).back());
        at::Tensor output = at::empty_like(operands.query);
        at::Tensor sums = needsBackward ? at::empty({query.size(0), heads}, query.options()) : at::Tensor();
        const int64_t hidden = output.size(1), width = hidden / heads;
        forEachHead(
            *layout, shape, operands, mask,
            [&](AttentionHead &head, int64_t row, int64_t, int64_t h, int64_t, int64_t) {
                head.output = mutableFloats(output) + row * hidden + h * width;
                head.logSum = needsBackward ? mutableFloats(sums) + row * heads + h : nullptr;
                kernels().attention(head, scratch(kernels().attentionScratch(head)));
            });
        if (needsBackward) {
            context->save_for_backward(
                {operands.query, operands.key, operands.value, queryBias, keyBias, valueBias, sums,
                 operands.blocks.value_or(at::Tensor())});
            save(SavedRows{layout, ofRead}, context);
            context->saved_data["blockHeight"] = blockHeight;
            context->saved_data["blockWidth"] = shape.blockWidth;
            context->saved_data["heads"] = heads;
            save(mask, context);
        }
        return output;
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const SavedRows kept = savedRows(context);
        const PackedLayout &layout = *kept.layout;
        const int64_t heads = context->saved_data["heads"].toInt();
        const Shape shape{
            heads, context->saved_data["blockHeight"].toInt(), context->saved_data["blockWidth"].toInt(),
            kept.ofRead};
        const Operands operands{
            saved[0], saved[1], saved[2], saved[3], saved[4], saved[5],
            saved[7].defined() ? std::optional(saved[7]) : std::nullopt};
        const at::Tensor gradient = gradients[0].contiguous(), &sums = saved[6];
        at::Tensor dquery = at::empty_like(operands.query), dkey = at::empty_like(operands.key);
        at::Tensor dvalue = at::empty_like(operands.value), dblocks;
        // Sums over the rows of each sequence, of queries, keys and values.
        const auto count = static_cast<int64_t>(layout.lengths.size());
        at::Tensor dbias = at::empty({3, count, gradient.size(1)}, gradient.options());
        const int64_t hidden = gradient.size(1), width = hidden / heads, rows = gradient.size(0);
        const int64_t blockStride = operands.blocks ? operands.blocks->size(2) : 0;
        if (blockStride > 0) dblocks = at::zeros({shape.groups(), rows, blockStride}, gradient.options());
        forEachHead(
            layout, shape, operands, savedMask(context),
            [&](AttentionHead &head, int64_t row, int64_t firstKey, int64_t h, int64_t group, int64_t sequence) {
                head.logSum = mutableFloats(sums) + row * heads + h;
                const int64_t q = row * hidden + h * width, k = firstKey * hidden + h * width;
                float *bias = mutableFloats(dbias) + sequence * hidden + h * width;
                const AttentionHeadBackward back{
                    head, floats(gradient) + q, mutableFloats(dquery) + q, mutableFloats(dkey) + k,
                    mutableFloats(dvalue) + k, bias, bias + count * hidden, bias + 2 * count * hidden,
                    blockStride > 0 ? mutableFloats(dblocks) + (group * rows + row) * blockStride : nullptr};
                kernels().attentionBackward(back, scratch(kernels().attentionScratch(head)));
            });
        return {
            dquery, dkey, dvalue, dbias[0].sum(0), dbias[1].sum(0), dbias[2].sum(0),
            blockStride > 0 ? sumByPosition(dblocks, layout, shape, operands.blocks->size(1)) : at::Tensor(),
            at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

/// [slots, positions, width] -> [slots, positions, positions], zero outside of the blocks along the diagonal.
at::Tensor blockDiagonal(const at::Tensor &blocks, int64_t blockHeight) {
    const int64_t length = blocks.size(1), width = blocks.size(2);
    std::vector<at::Tensor> bands;
    for (int64_t top = 0, index = 0; top < length; top += blockHeight, ++index) {
        bands.push_back(at::constant_pad_nd(
            blocks.narrow(1, top, std::min(blockHeight, length - top)),
            {index * width, length - (index + 1) * width}));
    }
    return at::cat(bands, 1);
}

/// softmax(Q Kᵀ scale + B) V of [sequences, heads, places, width]; B [sequences, 1, places, places].
at::Tensor attention(
    const at::Tensor &query, const at::Tensor &key, const at::Tensor &value, const at::Tensor &bias, double scale,
    double probability) {
    // libtorch's own attention draws from its own stream: on the CPU dropout's place in ours is what is saved.
    if (probability == 0 || !query.device().is_cpu()) {
        return at::scaled_dot_product_attention(
            query, key, value, bias.to(query.scalar_type()), probability, /*is_causal=*/false, scale);
    }
    const at::Tensor scores = at::matmul(query * scale, key.transpose(-2, -1));
    return at::matmul(dropout(at::softmax(scores + bias, -1), probability).to(value.scalar_type()), value);
}

/// The same in operations of libtorch's, padded to the longest sequence: for other devices and types.
at::Tensor paddedAttention(
    const Operands &o, int64_t blockHeight, int64_t heads, double probability, const PackedLayout &layout,
    bool ofRead) {
    const auto count = static_cast<int64_t>(layout.lengths.size());
    const auto &indices = layout.indices(o.key.device());
    const int64_t places = indices.padded, hidden = o.key.size(1);
    const auto split = [&](const at::Tensor &rows) {
        return rows.view({count, -1, heads, hidden / heads}).transpose(1, 2);
    };
    const auto sum = [](const at::Tensor &x, const at::Tensor &bias) { return x + bias.to(x.scalar_type()); };
    const auto padded = [&](const at::Tensor &x, const at::Tensor &bias, int64_t most, const at::Tensor &to) {
        return split(at::zeros({count * most, hidden}, x.options()).index_copy(0, to, sum(x, bias)));
    };
    // One row of each sequence is there without padding.
    const bool ofOne = ofRead && layout.mostRead == 1;
    const at::Tensor &queryPlaces = ofRead ? indices.readPlaces : indices.places;
    const int64_t queries = ofRead ? layout.mostRead : places;
    const at::Tensor query =
        ofOne ? split(sum(o.query, o.queryBias)) : padded(o.query, o.queryBias, queries, queryPlaces);
    const at::Tensor key = padded(o.key, o.keyBias, places, indices.places);
    const at::Tensor value = padded(o.value, o.valueBias, places, indices.places);
    at::Tensor bias = indices.penalties.to(o.keyBias.scalar_type()).expand({count, 1, queries, places});
    if (o.blocks) {
        const at::Tensor full = blockDiagonal(*o.blocks, blockHeight);
        const int64_t missing = std::max<int64_t>(0, places - full.size(1));
        bias = bias
            + at::constant_pad_nd(full, {0, missing, 0, missing})
                  .narrow(1, 0, queries)
                  .narrow(2, 0, places)
                  .index_select(0, indices.sequenceSlots)
                  .unsqueeze(1);
    }
    const double scale = 1 / std::sqrt(static_cast<double>(hidden / heads));
    const at::Tensor rows =
        attention(query, key, value, bias, scale, probability).transpose(1, 2).reshape({count * queries, hidden});
    return ofOne ? rows : rows.index_select(0, queryPlaces);
}

}  // namespace

CTTensor ct_block_diagonal(CTTensor blocks, int64_t blockHeight) {
    return tensor([&] { return blockDiagonal(blocks->value, blockHeight); });
}

CTTensor ct_packed_attention(
    const CTAttentionOperands *operands, int64_t blockHeight, int64_t heads, double probability, CTLayout layout,
    bool ofRead) {
    return tensor([&] {
        const Operands o{
            operands->query->value, operands->key->value, operands->value->value, operands->query_bias->value,
            operands->key_bias->value, operands->value_bias->value,
            optionalTensor(operands->blocks)};
        const PackedLayout &sequences = *layout->value;
        TORCH_CHECK(
            o.key.dim() == 2 && o.key.size(0) == sequences.tokens.count && o.value.sizes() == o.key.sizes()
                && o.query.size(0) == sequences.rows(ofRead).count,
            "queries ", o.query.sizes(), ", keys ", o.key.sizes(), " and values ", o.value.sizes(), " for ",
            sequences.tokens.count, " tokens");
        TORCH_CHECK(
            !o.blocks || (o.blocks->size(0) == sequences.slotCount && o.blocks->size(1) >= sequences.longest),
            "the blocks are too few or too small");
        if (!isFast(o.key)) return paddedAttention(o, blockHeight, heads, probability, sequences, ofRead);
        const auto needs = [](const at::Tensor &t) { return t.requires_grad(); };
        const bool needsBackward = at::GradMode::is_enabled()
            && (needs(o.query) || needs(o.key) || needs(o.value) || needs(o.queryBias)
                || needs(o.keyBias) || needs(o.valueBias) || (o.blocks && needs(*o.blocks)));
        return PackedAttention::apply(
            o.query, o.key, o.value, o.queryBias, o.keyBias, o.valueBias, o.blocks, blockHeight, heads, probability,
            layout->value, ofRead, needsBackward);
    });
}
