import CTorch

/// Several processes that compute together: by Gloo, and by NCCL with what is on CUDA devices. All of them call the
/// same operations in the same order.
///
/// Threads may hand it on to one another; one at a time calls operations.
public final class ProcessGroup: @unchecked Sendable {
    let handle: CTProcessGroup
    /// This process's number, from 0.
    public let rank: Int
    public let size: Int

    /// Waits for all the processes.
    ///
    /// - Parameters:
    ///   - store: what they find one another by.
    ///   - name: the group's, the same for all, and another for each group at a store.
    ///   - address: this machine's address at which the others connect to this process over Gloo, until all have; nil
    ///     for that of the interfaces that GLOO_SOCKET_IFNAME names, or of the machine's name.
    ///   - rank: this process's number, from 0.
    ///   - size: how many there are.
    ///   - timeout: seconds after which an operation fails that another process hasn't come to.
    ///   - device: the one that is this process's alone; tensors on it are exchanged, and those on the CPU.
    public init(
        _ store: KeyValueStore, name: String, address: String? = nil, rank: Int, size: Int, timeout: Double,
        device: Device = .cpu
    ) throws {
        let group = ct_process_group(
            store.handle, name, address, Int32(rank), Int32(size), milliseconds(timeout), device.type, device.index)
        guard let group else { throw TorchError() }
        handle = group
        self.rank = rank
        self.size = size
    }

    deinit { ct_process_group_release(handle) }

    /// Replaces a tensor by its sum over the processes, the same bits in all of them.
    public func sumInPlace(_ tensor: Tensor) throws {
        try Tensor.check(ct_all_reduce(handle, tensor.handle))
    }

    /// The sums over the processes of numbers of which each has as many.
    public func sums<Element: TensorElement>(_ values: [Element]) throws -> [Element] {
        if values.isEmpty { return [] }
        let tensor = try Tensor(values)
        try sumInPlace(tensor)
        return try tensor.elements()
    }
}
