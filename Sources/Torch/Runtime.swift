import CTorch

/// libtorch's version, such as "2.13.0".
public var libtorchVersion: String { String(cString: ct_version()) }

/// The threads an operation may use. Results are the same bits only at the same count.
public var threadCount: Int { Int(ct_thread_count()) }

public func setThreadCount(_ count: Int) { ct_set_thread_count(Int32(count)) }

/// Seeds the default random stream, the one that dropout draws from.
public func seedRandomStream(_ seed: UInt64) throws { try Tensor.check(ct_seed(seed)) }

/// The default random stream's state (bytes): what is needed to draw the same numbers again.
public func randomStreamState() throws -> Tensor { try Tensor(ct_random_state()) }

public func setRandomStreamState(_ state: Tensor) throws {
    try Tensor.check(ct_set_random_state(state.handle))
}
