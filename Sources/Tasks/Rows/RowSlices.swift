import Dispatch
import Files
import Synchronization

/// Goes through a file's rows in memory that doesn't grow with the file, however long its rows are.
extension ExampleSource {
    /// Where a slice of rows, which one thread works on at a time, is full.
    private static let sliceRows = 256
    private static let sliceBytes = 1 << 20
    private static let slicesPerBlock = 32

    /// Works on the rows slice by slice, on all cores.
    ///
    /// - Parameters:
    ///   - work: makes something of a slice's rows, of the file's bytes.
    ///   - take: is given what was made of the slices, in the order of the file.
    /// - Throws: the first error in the order of the file, once what comes before it is taken.
    func forEachSlice<Result: Sendable>(
        _ work: @Sendable (_ rows: [RowSpan], _ bytes: UnsafeRawBufferPointer) throws -> Result,
        take: (Result) throws -> Void
    ) throws {
        try mapped.withBytes { bytes in
            var rows = rows(of: bytes)
            while true {
                let (slices, damage) = nextBlock(of: &rows)
                let results = Mutex([Swift.Result<Result, any Error>?](repeating: nil, count: slices.count))
                DispatchQueue.concurrentPerform(iterations: slices.count) { index in
                    let result = Swift.Result { try mapped.withBytes { try work(slices[index], $0) } }
                    results.withLock { $0[index] = result }
                }
                for result in results.withLock({ $0 }) {
                    if let result { try take(result.get()) }
                }
                if let damage { throw damage }
                if slices.isEmpty { return }
                mapped.releasePages()
            }
        }
    }

    /// Goes through the rows one after the other.
    func forEachRow(_ body: (RowSpan, UnsafeRawBufferPointer) throws -> Void) throws {
        try mapped.withBytes { bytes in
            var rows = rows(of: bytes)
            var released = 0
            while let row = try next(&rows) {
                try body(row, bytes)
                guard row.range.upperBound - released > Self.slicesPerBlock * Self.sliceBytes else { continue }
                mapped.releasePages()
                released = row.range.upperBound
            }
        }
        mapped.releasePages()
    }

    /// The next slices in the order of the file, none at its end; and the error of the row after them, which is said
    /// after what is wrong with those before.
    private func nextBlock(of rows: inout any RowScanner) -> (slices: [[RowSpan]], damage: (any Error)?) {
        var slices: [[RowSpan]] = []
        var damage: (any Error)?
        while slices.count < Self.slicesPerBlock, damage == nil {
            var slice: [RowSpan] = []
            var size = 0
            do {
                while slice.count < Self.sliceRows, size < Self.sliceBytes, let row = try next(&rows) {
                    slice.append(row)
                    size += row.range.count
                }
            } catch {
                damage = error
            }
            if slice.isEmpty { break }
            slices.append(slice)
        }
        return (slices, damage)
    }
}
