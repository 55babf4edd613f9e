import CTorch

/// libtorch's version, such as "2.13.0".
public var libtorchVersion: String { String(cString: ct_version()) }

/// The threads an operation may use. Results are the same bits only at the same count.
public var threadCount: Int { Int(ct_thread_count()) }

public func setThreadCount(_ count: Int) { ct_set_thread_count(Int32(count)) }

/// Seeds the random stream that dropout draws from. What is drawn does not depend on the number of threads.
public func seedRandomStream(_ seed: UInt64) throws { try Tensor.check(ct_seed(seed)) }
