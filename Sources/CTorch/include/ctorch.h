// A C interface to libtorch: tensors behind opaque handles, no C++ type in sight.
//
// Conventions
// - A function that returns a CTTensor returns a new handle, which the caller releases with ct_release, or NULL on
//   failure.
// - A function that returns a bool returns false on failure.
// - After a failure ct_last_error() holds the reason, for the calling thread, until its next failure.
// - Element types are c10::ScalarType's numbers. A device is its c10::DeviceType's number and an index (CPU: 0, -1).
// - A NULL tensor argument means "absent" where the comment says "or NULL".

#ifndef CTORCH_H
#define CTORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a shared library of these exports, and nothing else.
#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

typedef struct CTTensorImpl *CTTensor;

const char *ct_last_error(void);
const char *ct_version(void);

// Memory, threads, random streams, gradient mode.

/// Makes the process keep the memory that tensors give back, for the next ones.
void ct_keep_freed_memory(void);
/// The instruction set of our own loops: "avx512", "avx2" or "portable".
const char *ct_instruction_set(void);
/// Makes them those of another instruction set; "" is the best that the processor has. Fails where it has none of this
/// name. No operation may be under way.
bool ct_set_instruction_set(const char *name);
/// Makes "mkl" or "onednn" multiply the float32 matrices of linear layers on the CPU; "" is the better one here. Fails
/// where libtorch has none of this name.
bool ct_set_products(const char *name);
void ct_set_thread_count(int32_t count);
int32_t ct_thread_count(void);
/// Seeds the random stream that dropout draws from on a device.
bool ct_seed(uint64_t seed, int32_t device, int32_t device_index);
/// The place in the stream that dropout draws from on a device. The CPU's and a CUDA device's streams are different.
bool ct_random_state(int32_t device, int32_t device_index, uint64_t *key, uint64_t *counter);
bool ct_set_random_state(int32_t device, int32_t device_index, uint64_t key, uint64_t counter);
bool ct_grad_enabled(void);
void ct_set_grad_enabled(bool enabled);

// Devices.

/// Whether this libtorch computes on CUDA devices, where there are any.
bool ct_has_cuda(void);
/// The CUDA devices that this process may use; -1 on failure, such as with a driver that is too old.
int32_t ct_cuda_device_count(void);
/// Makes a device the calling thread's, and fails if it can't compute.
bool ct_use_device(int32_t device, int32_t device_index);
/// What a CUDA device is called; "" where the C interface was compiled without CUDA's headers.
const char *ct_device_name(int32_t device_index);
/// The most bytes that a device's tensors have taken together; -1 on failure.
int64_t ct_peak_device_memory(int32_t device, int32_t device_index);
/// Whether a CUDA device may round what goes into products of float32 to TF32's 10 bits.
void ct_allow_tf32(bool allowed);

// Creation and access.

void ct_release(CTTensor tensor);
CTTensor ct_full(const int64_t *shape, size_t rank, double value, int32_t dtype, int32_t device, int32_t device_index);
/// Copies `bytes` (row-major) into a new tensor. The device's copy may be made later, in the order of its operations.
CTTensor ct_from_bytes(
    const void *bytes, size_t byte_count, const int64_t *shape, size_t rank, int32_t dtype, int32_t device,
    int32_t device_index);
/// Normal deviates from a stream of their own, the same on every device.
CTTensor ct_normal(const int64_t *shape, size_t rank, double std, uint64_t seed, int32_t dtype);
/// Copies the elements, row-major, into `bytes`, whose size has to be theirs.
bool ct_copy_bytes(CTTensor tensor, void *bytes, size_t byte_count);
/// A copy in the host's memory that is made when what the tensor depends on is computed. Nothing waits for it but
/// ct_readback_wait.
typedef struct CTReadbackImpl *CTReadback;
CTReadback ct_readback(CTTensor tensor);
void ct_readback_release(CTReadback readback);
/// The copy, a CPU tensor; fails if it takes longer than `timeout` milliseconds (-1: waits for ever).
CTTensor ct_readback_wait(CTReadback readback, int64_t timeout);
size_t ct_rank(CTTensor tensor);
int64_t ct_size(CTTensor tensor, size_t dimension);
int32_t ct_dtype(CTTensor tensor);
int32_t ct_device(CTTensor tensor, int32_t *index);
CTTensor ct_to(CTTensor tensor, int32_t dtype, int32_t device, int32_t device_index);
/// A number that is another one after each change of the elements.
int64_t ct_change_count(CTTensor tensor);

// Automatic differentiation.

bool ct_set_requires_grad(CTTensor tensor, bool requires_grad);
bool ct_requires_grad(CTTensor tensor);
/// The accumulated gradient, a sparse one with each row once; *absent is set, and NULL returned, where there is none.
CTTensor ct_grad(CTTensor tensor, bool *absent);
/// `gradient` or NULL, which removes it.
bool ct_set_grad(CTTensor tensor, CTTensor gradient);
bool ct_backward(CTTensor loss);
CTTensor ct_detach(CTTensor tensor);

// Shape.

CTTensor ct_reshape(CTTensor tensor, const int64_t *shape, size_t rank);
CTTensor ct_unsqueeze(CTTensor tensor, int64_t dimension);
/// Tensors of one shape along a new first dimension.
CTTensor ct_stack(const CTTensor *tensors, size_t count);
CTTensor ct_narrow(CTTensor tensor, int64_t dimension, int64_t start, int64_t length);
CTTensor ct_index_select(CTTensor tensor, int64_t dimension, CTTensor indices);

// Arithmetic, with broadcasting.

CTTensor ct_add(CTTensor left, CTTensor right);
CTTensor ct_subtract(CTTensor left, CTTensor right);
CTTensor ct_multiply(CTTensor left, CTTensor right);
CTTensor ct_add_scalar(CTTensor tensor, double scalar);
CTTensor ct_multiply_scalar(CTTensor tensor, double scalar);
CTTensor ct_matmul(CTTensor left, CTTensor right);
CTTensor ct_tanh(CTTensor tensor);
CTTensor ct_sum(CTTensor tensor);
/// In place, outside of automatic differentiation.
bool ct_copy_from(CTTensor tensor, CTTensor source);
bool ct_zero_in_place(CTTensor tensor);
bool ct_is_sparse(CTTensor tensor);

// Neural network functions.

/// x Wᵀ + b; `bias` or NULL.
CTTensor ct_linear(CTTensor tensor, CTTensor weight, CTTensor bias);
/// Rows of `weight`; the row `padding_index` gets no gradient (-1: every row does). The gradient may be sparse.
CTTensor ct_embedding(CTTensor weight, CTTensor indices, int64_t padding_index, bool sparse);
CTTensor ct_relu(CTTensor tensor);
/// The mask depends on the seed and on what has been drawn since, not on the number of threads.
CTTensor ct_dropout(CTTensor tensor, double probability);
/// Mean cross entropy of logits [n, k] and class indices [n], as PyTorch's CrossEntropyLoss has it: `weights` [k] or NULL.
CTTensor ct_cross_entropy(CTTensor logits, CTTensor classes, CTTensor weights, double label_smoothing);
/// Mean squared error.
CTTensor ct_mse_loss(CTTensor values, CTTensor targets);
/// The mean of the binary cross entropies of logits and targets of one shape.
CTTensor ct_binary_cross_entropy(CTTensor logits, CTTensor targets);

// Gradient checkpointing.

typedef struct {
    void *context;
    /// A new tensor that the inputs determine, or NULL after ct_fail.
    CTTensor (*run)(void *context, const CTTensor *inputs, size_t count);
    /// Called once, when nothing calls `run` any more.
    void (*release)(void *context);
} CTRecomputedBody;

/// Sets the reason that ct_last_error gives.
void ct_fail(const char *reason);
/// A new handle of the same tensor.
CTTensor ct_share(CTTensor tensor);
/// What `body` makes of the inputs. For its gradient it is run again, with the same dropout, so that nothing in between
/// is kept; `parameters` are all tensors besides the inputs that have gradients by it.
CTTensor ct_recomputed(
    const CTTensor *inputs, size_t input_count, const CTTensor *parameters, size_t parameter_count,
    CTRecomputedBody body);

// Packed batches: sequences without padding, one after the other, in matrices with a row a token. Each sequence is of a
// "slot", its task's position among those of the batch. `of_read` means matrices that have of each sequence but the
// first rows, those that are read of an encoder's output.

typedef struct CTLayoutImpl *CTLayout;

/// `visible`: whether each token may be attended to, or NULL where all may. `reads`: how many rows are read of each
/// sequence, or NULL for its first token's alone.
CTLayout ct_layout(
    const int64_t *lengths, const int64_t *slots, size_t count, size_t slot_count, const bool *visible,
    const int64_t *reads);
void ct_layout_release(CTLayout layout);

typedef struct {
    /// [rows, hidden] each; the queries may be those alone that are read.
    CTTensor query, key, value;
    /// [hidden] each.
    CTTensor query_bias, key_bias, value_bias;
    /// The blocks along the diagonal of what is added to the scores, [slots, positions, block width], or NULL.
    CTTensor blocks;
} CTAttentionOperands;

/// softmax(Q Kᵀ / sqrt(d) + B) V within each sequence and head, with dropout on the weights: [rows, hidden]. The blocks
/// of B have `block_height` rows each.
CTTensor ct_packed_attention(
    const CTAttentionOperands *operands, int64_t block_height, int64_t heads, double dropout, CTLayout layout,
    bool of_read);
/// B in full: [slots, positions, positions].
CTTensor ct_block_diagonal(CTTensor blocks, int64_t block_height);
/// LN(dropout(x + bias) + residual) ⊙ gain + shift; gain [slots, width] or [1, width], shift [width]; `bias` and
/// `residual` or NULL.
CTTensor ct_residual_norm(
    CTTensor x, CTTensor bias, CTTensor residual, CTTensor gain, CTTensor shift, double epsilon, double dropout,
    CTLayout layout, bool of_read);
/// x ⊙ scale + shift, both [slots, width].
CTTensor ct_modulate(CTTensor x, CTTensor scale, CTTensor shift, CTLayout layout, bool of_read);
/// The exact form, by the error function, of x + bias: [rows, width] and [width].
CTTensor ct_bias_gelu(CTTensor x, CTTensor bias);

// Optimisation over lists of parameters, outside of automatic differentiation.

/// The 2-norm over all the tensors together, as a tensor of no dimensions.
CTTensor ct_total_norm(const CTTensor *tensors, size_t count);

typedef struct {
    /// All of one shape; the gradient may be sparse, of rows.
    CTTensor parameter, gradient, first_moment, second_moment;
    /// Which rows have had a gradient, as bytes; needed where the gradient is sparse.
    CTTensor touched;
    double weight_decay;
    /// The number of this step, from 1 on.
    int64_t step;
} CTAdamSlot;

typedef struct {
    double rate, beta1, beta2, epsilon;
    /// What every gradient is multiplied by.
    double gradient_scale;
    /// NULL, or the 2-norm of all gradients as it is known to their device alone: they are then multiplied by what
    /// clips that to `max_norm` at most, and nothing changes where it is not finite. Not for float32 on the CPU.
    CTTensor norm;
    double max_norm;
} CTAdamSettings;

/// p -= rate * sqrt(1 - beta2^step) / (1 - beta1^step) * m / (sqrt(v) + epsilon); p -= rate * weight_decay * p.
bool ct_adam(const CTAdamSlot *slots, size_t count, const CTAdamSettings *settings);

// Linear layers in 8-bit integers: inexact, without gradients, for float32 on the CPU. A row of an output depends on
// that row of the input alone; it is the same bits on every processor and at any number of threads.

typedef struct CTQuantizedLinearImpl *CTQuantizedLinear;

enum { CT_ACTIVATION_NONE = 0, CT_ACTIVATION_GELU = 1, CT_ACTIVATION_RELU = 2 };

/// Whether the processor has the instructions that make them faster than exact ones.
bool ct_quantized_linear_is_fast(void);
/// x Wᵀ + b with the weights as they are now; `bias` or NULL. The caller releases it with ct_release_quantized_linear.
CTQuantizedLinear ct_quantize_linear(CTTensor weight, CTTensor bias);
void ct_release_quantized_linear(CTQuantizedLinear linear);
CTTensor ct_quantized_linear(CTQuantizedLinear linear, CTTensor tensor);
/// down(activation(up(x))), without the wide values in memory.
CTTensor ct_quantized_feed_forward(
    CTQuantizedLinear up, int32_t activation, CTQuantizedLinear down, CTTensor tensor);

// Several processes that compute together. Times are in milliseconds.

/// Keys and values that one process serves and all read and write.
typedef struct CTStoreImpl *CTStore;
typedef struct CTProcessGroupImpl *CTProcessGroup;
typedef struct CTReducerImpl *CTReducer;

/// Makes the 32 bytes of a message authentication code, which only those that share a secret can make.
typedef struct {
    const void *context;
    void (*code)(const void *context, const void *bytes, size_t count, uint8_t *code);
    /// Called once, when nothing needs the context any more.
    void (*release)(const void *context);
} CTSeal;

/// Connects to the store at `host` and `port`, which this process serves itself if `listener` is a bound socket, and not
/// -1. The socket is then the store's to close.
CTStore ct_store_connect(const char *host, uint16_t port, int32_t listener, int64_t timeout);
/// The same store by the same connection, for those that share a secret: keys have other names, and each value carries
/// its code. What others have set is refused with an error that begins with `CT_STORE_FORGED`.
CTStore ct_store_seal(CTStore store, CTSeal seal);
#define CT_STORE_FORGED "a value without this run's code"
/// Where this process serves the store, no further connection is taken from now on.
void ct_store_close_door(CTStore store);
void ct_store_release(CTStore store);
bool ct_store_set(CTStore store, const char *key, const void *bytes, size_t count);
/// A value's bytes, waited for if it isn't there.
CTTensor ct_store_get(CTStore store, const char *key, int64_t timeout);
/// 1 or 0; -1 on failure.
int32_t ct_store_has(CTStore store, const char *key);
/// Sets a key that has no value: 1 if this call has done so, 0 if another value is there, -1 on failure.
int32_t ct_store_claim(CTStore store, const char *key, const void *bytes, size_t count);

/// Waits for all `size` processes; operations then fail after `timeout`. Every process calls the same operations in the
/// same order.
/// CPU tensors go over Gloo, and those of the CUDA device that is named, if one is, over NCCL. Gloo listens at `address`,
/// one of this machine's, until all have connected; if it is NULL, at the interfaces of GLOO_SOCKET_IFNAME or the address
/// of the machine's name.
CTProcessGroup ct_process_group(
    CTStore store, const char *name, const char *address, int32_t rank, int32_t size, int64_t timeout, int32_t device,
    int32_t device_index);
void ct_process_group_release(CTProcessGroup group);
/// The sum over the processes, in place, the same bits in all of them.
bool ct_all_reduce(CTProcessGroup group, CTTensor tensor);

/// Makes each backward pass that is prepared for end with the mean of the processes' gradients, which are exchanged
/// while it goes on; `is_sparse` says of each parameter whether its gradients are.
CTReducer ct_reducer(CTProcessGroup group, const CTTensor *parameters, const bool *is_sparse, size_t count);
void ct_reducer_release(CTReducer reducer);
/// Before the backward pass from `loss`. A pass that is not prepared for only adds to this process's gradients, which
/// the next prepared one exchanges with its own.
bool ct_reducer_prepare(CTReducer reducer, CTTensor loss);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
