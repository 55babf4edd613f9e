import TestSupport
import Torch
import XCTest

/// The loops over packed batches, which are for float32 on the CPU, against libtorch's operations, which float64 takes.
final class PackedTests: EveryProcessorChoiceTestCase {
    private struct Batch {
        var lengths: [Int]
        var slots: [Int]
        var mask: [Bool]?
        /// How many rows are read of each sequence; nil for its first token's.
        var reads: [Int]?
        var tokens: Int { lengths.reduce(0, +) }

        func count(_ rows: PackedLayout.Rows) -> Int {
            rows == .tokens ? tokens : reads?.reduce(0, +) ?? lengths.count
        }

        func layout() throws -> PackedLayout {
            try PackedLayout(lengths: lengths, slots: slots, slotCount: 3, attentionMask: mask, reads: reads)
        }
    }

    private let batches = [
        Batch(lengths: [5, 1, 40, 17, 33], slots: [2, 0, 1, 2, 2]),
        Batch(lengths: [16, 16, 16], slots: [0, 1, 2]),
        Batch(lengths: [3, 7, 70], slots: [1, 0, 2], mask: (0..<80).map { $0 % 7 != 3 }),
        // The first token of some sequences is read, and all of others, or some.
        Batch(lengths: [5, 1, 40, 17, 33], slots: [2, 0, 1, 2, 2], reads: [1, 1, 40, 1, 33]),
        Batch(lengths: [16, 16, 16], slots: [0, 1, 2], reads: [16, 16, 16]),
        Batch(lengths: [3, 7, 70], slots: [1, 0, 2], mask: (0..<80).map { $0 % 7 != 3 }, reads: [3, 1, 20]),
    ]

    private func values(_ shape: [Int], seed: UInt64, scale: Double = 1) throws -> Tensor {
        try Tensor.normal(shape, std: scale, seed: seed, dtype: .float64)
    }

    /// What `body` makes of the inputs, and the inputs' gradients, in both types.
    private func compare(
        _ inputs: [Tensor], within accuracy: Double = 2e-5, _ label: String, _ body: ([Tensor]) throws -> Tensor
    ) throws {
        var results: [[[Double]]] = []
        for dtype in [DType.float32, .float64] {
            let leaves = try inputs.map { try $0.to(dtype).detached() }
            for leaf in leaves { try leaf.setRequiresGradient(true) }
            let output = try body(leaves)
            let weights = try values(output.shape, seed: 99).to(dtype)
            try (output * weights).sum().backward()
            results.append(
                try [output.elements()] + leaves.map { try $0.gradient()?.elements() ?? [] })
            // Without gradients there is less to keep, and the same to compute. libtorch has another kernel then.
            let again: [Double] = try withoutGradients { try body(leaves).elements() }
            let before = results[results.count - 1][0]
            if dtype == .float32 { XCTAssertEqual(again, before, label) }
            for (a, b) in zip(again, before) { XCTAssertEqual(a, b, accuracy: 1e-13 * max(1, abs(b)), label) }
        }
        for (index, (fast, exact)) in zip(results[0], results[1]).enumerated() {
            XCTAssertEqual(fast.count, exact.count)
            let size = max(1, exact.map(abs).max() ?? 1)
            for (a, b) in zip(fast, exact) where !(abs(a - b) <= accuracy * size) {
                return XCTFail("\(label): \(a) is not \(b) in result \(index)")
            }
        }
    }

    func testAttention() throws {
        for (heads, width, blockWidth) in [(2, 8, 0), (3, 32, 12), (2, 24, 40), (1, 64, 5)] {
            let hidden = heads * width
            for (number, batch) in batches.enumerated() {
                for rows in [PackedLayout.Rows.tokens, .read] {
                    let layout = try batch.layout()
                    let queries = batch.count(rows)
                    var inputs = try [queries, batch.tokens, batch.tokens].enumerated().map {
                        try values([$1, hidden], seed: UInt64($0))
                    }
                    inputs += try (0..<3).map { try values([hidden], seed: UInt64(10 + $0)) }
                    if blockWidth > 0 {
                        inputs.append(try values([3, batch.lengths.max() ?? 0, blockWidth], seed: 20))
                    }
                    try compare(inputs, "\(heads) heads of \(width), batch \(number), \(rows)") { x in
                        try packedAttention(
                            query: Projection(product: x[0], bias: x[3]), key: Projection(product: x[1], bias: x[4]),
                            value: Projection(product: x[2], bias: x[5]),
                            blocks: blockWidth > 0 ? DiagonalBlocks(rows: x[6], height: blockWidth) : nil,
                            heads: heads, dropout: 0, layout: layout, rows: rows)
                    }
                }
            }
        }
    }

    func testBlocksStandOnTheDiagonal() throws {
        let rows = try Tensor((1...10).map(Double.init), shape: [1, 5, 2])
        let expanded: [Double] = try DiagonalBlocks(rows: rows, height: 2).expanded().elements()
        XCTAssertEqual(
            expanded,
            [
                1, 2, 0, 0, 0,
                3, 4, 0, 0, 0,
                0, 0, 5, 6, 0,
                0, 0, 7, 8, 0,
                0, 0, 0, 0, 9,
            ])
    }

    func testNormOfSums() throws {
        for width in [8, 40, 384] {
            for (number, batch) in batches.enumerated() {
                for (rows, gains) in [(PackedLayout.Rows.tokens, 3), (.read, 3), (.tokens, 1)] {
                    let layout = try batch.layout()
                    let count = batch.count(rows)
                    let inputs = try [
                        values([count, width], seed: 1), values([width], seed: 2), values([count, width], seed: 3),
                        values([gains, width], seed: 4), values([width], seed: 5),
                    ]
                    try compare(inputs, "width \(width), batch \(number), \(rows)") { x in
                        try residualNorm(
                            x[0], bias: x[1], residual: x[2], gain: x[3], shift: x[4], epsilon: 1e-12, layout: layout,
                            rows: rows)
                    }
                    try compare(Array(inputs[3...]) + [inputs[0]], "width \(width) without a sum") { x in
                        try residualNorm(
                            x[2], gain: x[0], shift: x[1], epsilon: 1e-5, layout: layout, rows: rows)
                    }
                }
            }
        }
    }

    func testModulation() throws {
        for (number, batch) in batches.enumerated() {
            for rows in [PackedLayout.Rows.tokens, .read] {
                let layout = try batch.layout()
                let count = batch.count(rows)
                let inputs = try [
                    values([count, 24], seed: 1), values([3, 24], seed: 2), values([3, 24], seed: 3),
                ]
                try compare(inputs, "batch \(number), \(rows)") {
                    try modulated($0[0], scale: $0[1], shift: $0[2], layout: layout, rows: rows)
                }
            }
        }
    }

    func testActivation() throws {
        for (rows, width) in [(3, 5), (100, 96)] {
            try compare([values([rows, width], seed: 1, scale: 4), values([width], seed: 2)], "\(rows) rows") {
                try gelu($0[0], bias: $0[1])
            }
        }
        let ends = try Tensor([-100, -12, -6, 0, 6, 12, 100] as [Float], shape: [7, 1])
        let far: [Float] = try gelu(ends, bias: Tensor.zeros([1])).elements()
        for (value, expected) in zip(far, [0, 0, 0, 0, 6, 12, 100] as [Float]) {
            XCTAssertEqual(value, expected, accuracy: 1e-6)
        }
    }

    /// What is no number, or infinite, is not turned into a number on the way.
    func testWhatIsNoNumberStaysNone() throws {
        for value in [Float.nan, .infinity, -.infinity] {
            let batch = Batch(lengths: [20, 4], slots: [0, 1])
            var elements = [Float](repeating: 1, count: batch.tokens * 16)
            elements[3 * 16 + 5] = value
            let x = try Tensor(elements, shape: [batch.tokens, 16])
            let zeros = try Tensor.zeros([16])
            let layout = try batch.layout()
            let attended: [Float] = try packedAttention(
                query: Projection(product: x, bias: zeros), key: Projection(product: x, bias: zeros),
                value: Projection(product: x, bias: zeros), blocks: nil, heads: 1, dropout: 0, layout: layout,
                rows: .tokens
            ).elements()
            XCTAssertFalse(attended[3 * 16 + 5].isFinite, "\(value)")
            XCTAssertTrue(attended[(20 * 16)...].allSatisfy(\.isFinite), "\(value) is another sequence's")
            let norm: [Float] = try residualNorm(
                x, gain: Tensor.full([1, 16], 1), shift: zeros, epsilon: 1e-12, layout: layout
            ).elements()
            XCTAssertTrue(norm[48..<64].allSatisfy { !$0.isFinite }, "\(value)")
            let active: [Float] = try gelu(x, bias: zeros).elements()
            XCTAssertTrue(value == -.infinity || !active[3 * 16 + 5].isFinite, "\(value)")
        }
    }

    // MARK: - Dropout within the loops

    /// The residual norm of ones, whose output shows the mask.
    private func normalized(_ batch: Batch, width: Int, dropout: Double) throws -> [Float] {
        try residualNorm(
            Tensor.full([batch.tokens, width], 1), gain: Tensor.full([1, width], 1), shift: Tensor.zeros([width]),
            epsilon: 1e-12, dropout: dropout, layout: batch.layout()
        ).elements()
    }

    func testDropsTheShareItIsTold() throws {
        try seedRandomStream(7)
        let output = try normalized(batches[0], width: 384, dropout: 0.1)
        // In each row the kept ones stand above the mean, the dropped ones below.
        let dropped = output.filter { $0 < 0 }.count
        XCTAssertEqual(
            Double(dropped) / Double(output.count), 0.1, accuracy: 5 * (0.09 / Double(output.count)).squareRoot())
    }

    /// Whether dropout keeps each element of rows, by the stream that a test has just seeded. A row takes whole blocks
    /// of 32 of it. The mask's share and factor are tested with dropout alone.
    private func isKept(_ rows: Int, _ width: Int, dropout rate: Double) throws -> [Bool] {
        let whole = (width + 31) / 32 * 32
        let mask: [Float] = try dropout(Tensor.full([rows, whole], 1), probability: rate).elements()
        return (0..<rows).flatMap { row in (0..<width).map { mask[row * whole + $0] != 0 } }
    }

    /// What is kept is multiplied by 1 / (1 - p) before the residual is added, and so is its gradient, of which the
    /// residual gets all.
    func testDropoutBeforeANormScalesWhatItKeepsAndItsGradients() throws {
        for (rate, width) in [(0.1, 96), (0.5, 40), (0.75, 8)] {
            for (number, batch) in batches.enumerated() {
                let (layout, count) = (try batch.layout(), batch.tokens)
                try seedRandomStream(UInt64(number))
                let share = (rate * 65536).rounded() / 65536
                let factors = try isKept(count, width, dropout: rate).map { $0 ? 1 / (1 - share) : 0 }
                XCTAssertEqual(Set(factors).count, 2)
                let mask = try Tensor(factors, shape: [count, width])
                let inputs = try [
                    values([count, width], seed: 1), values([width], seed: 2), values([count, width], seed: 3),
                    values([3, width], seed: 4), values([width], seed: 5),
                ]
                try compare(inputs, "dropout \(rate), width \(width), batch \(number)") { x in
                    guard x[0].dtype == .float32 else {
                        return try residualNorm(
                            (x[0] + x[1]) * mask + x[2], gain: x[3], shift: x[4], epsilon: 1e-12, layout: layout)
                    }
                    try seedRandomStream(UInt64(number))
                    return try residualNorm(
                        x[0], bias: x[1], residual: x[2], gain: x[3], shift: x[4], epsilon: 1e-12, dropout: rate,
                        layout: layout)
                }
                // Whole blocks stand in the same order where libtorch's operations take them.
                guard width % 32 == 0 else { continue }
                try compare(inputs, "dropout \(rate) in both types, batch \(number)") { x in
                    try seedRandomStream(3)
                    return try residualNorm(
                        x[0], bias: x[1], residual: x[2], gain: x[3], shift: x[4], epsilon: 1e-12, dropout: rate,
                        layout: layout)
                }
            }
        }
    }

    /// What is added to the variance counts where it is large.
    func testNormAddsItsEpsilonToTheVariance() throws {
        let batch = batches[0]
        let inputs = try [values([batch.tokens, 40], seed: 1), values([1, 40], seed: 2), values([40], seed: 3)]
        let layout = try batch.layout()
        for epsilon in [0.5, 3] {
            try compare(inputs, "epsilon \(epsilon)") {
                try residualNorm($0[0], gain: $0[1], shift: $0[2], epsilon: epsilon, layout: layout)
            }
        }
        let row = try residualNorm(
            Tensor([1, -1, 1, -1] as [Float], shape: [1, 4]), gain: Tensor.full([1, 4], 1), shift: Tensor.zeros([4]),
            epsilon: 3, layout: PackedLayout(lengths: [1], slots: [0], slotCount: 1))
        XCTAssertEqual(try row.elements(Float.self), [0.5, -0.5, 0.5, -0.5])
    }

    /// Under the same mask, the gradient of attention is the slope of its values.
    func testDropoutOfAttentionsWeightsCountsInItsGradients() throws {
        let batch = Batch(lengths: [40, 3, 18], slots: [1, 0, 1])
        let (layout, hidden) = (try batch.layout(), 32)
        var inputs = try (0..<3).map { try Tensor.normal([batch.tokens, hidden], std: 1, seed: UInt64($0)) }
        inputs += try (3..<6).map { try Tensor.normal([hidden], std: 1, seed: UInt64($0)) }
        inputs.append(try Tensor.normal([3, 40, 12], std: 1, seed: 6))
        let weights = try Tensor.normal([batch.tokens, hidden], std: 1, seed: 7)
        func value(_ x: [Tensor]) throws -> Tensor {
            try seedRandomStream(3)
            let output = try packedAttention(
                query: Projection(product: x[0], bias: x[3]), key: Projection(product: x[1], bias: x[4]),
                value: Projection(product: x[2], bias: x[5]), blocks: DiagonalBlocks(rows: x[6], height: 12),
                heads: 2, dropout: 0.5, layout: layout, rows: .tokens)
            return try (output * weights).sum()
        }
        for input in inputs { try input.setRequiresGradient(true) }
        try value(inputs).backward()
        let gradients = try inputs.map { try XCTUnwrap($0.gradient()) }
        for (index, gradient) in gradients.enumerated() where index != 4 {
            // Along the gradient itself the slope is its norm.
            let norm = try (gradient * gradient).sum().item().squareRoot()
            let step = 0.02
            let ends = try withoutGradients {
                try [step, -step].map { size in
                    var moved = inputs
                    moved[index] = try inputs[index].detached() + gradient * (size / norm)
                    return try value(moved).item()
                }
            }
            XCTAssertEqual((ends[0] - ends[1]) / (2 * step) / norm, 1, accuracy: 0.02, "input \(index)")
        }
    }

    /// Weights of attention that are all equal, of values that are all one: the sum of what is kept.
    private func attended(_ batch: Batch, dropout: Double, as dtype: DType = .float32) throws -> [Float] {
        let zeros = try Tensor.zeros([batch.tokens, 16], dtype: dtype)
        let nothing = try Projection(product: zeros, bias: Tensor.zeros([16], dtype: dtype))
        let ones = try Tensor.full([16], 1).to(dtype)
        return try packedAttention(
            query: nothing, key: nothing, value: Projection(product: zeros, bias: ones),
            blocks: nil, heads: 1, dropout: dropout, layout: batch.layout(), rows: .tokens
        ).elements()
    }

    func testAttentionDropsWeights() throws {
        try seedRandomStream(8)
        let batch = Batch(lengths: [400, 400], slots: [0, 1])
        XCTAssertEqual(
            try attended(batch, dropout: 0).map { ($0 * 1000).rounded() }, Array(repeating: 1000, count: 800 * 16))
        for dtype in [DType.float32, .float64] {
            let sums = try attended(batch, dropout: 0.1, as: dtype)
            XCTAssertGreaterThan(Set(sums).count, 20)
            // 800 rows of 400 weights: five standard deviations of the mean.
            XCTAssertEqual(
                sums.reduce(0, +) / Float(sums.count), 1, accuracy: 5 * (0.1 / 0.9 / 320_000 as Float).squareRoot())
        }
    }

    func testBitsAreTheSameAtAnyNumberOfThreads() throws {
        let before = threadCount
        defer { setThreadCount(before) }
        let batch = Batch(lengths: (1...40).map { $0 * 3 }, slots: (0..<40).map { $0 % 3 })
        let hidden = 96
        var results: [[[Float]]] = []
        for threads in 1...3 {
            setThreadCount(threads)
            try seedRandomStream(5)
            let layout = try batch.layout()
            let x = try (0..<4).map { try Tensor.normal([batch.tokens, hidden], std: 1, seed: UInt64($0)) }
            let gain = try Tensor.normal([3, hidden], std: 1, seed: 9)
            let bias = try Tensor.normal([hidden], std: 1, seed: 10)
            let blocks = try Tensor.normal([3, 120, 40], std: 1, seed: 11)
            let leaves = x + [gain, bias, blocks]
            for leaf in leaves { try leaf.setRequiresGradient(true) }
            let attended = try packedAttention(
                query: Projection(product: x[0], bias: bias), key: Projection(product: x[1], bias: bias),
                value: Projection(product: x[2], bias: bias), blocks: DiagonalBlocks(rows: blocks, height: 40),
                heads: 6, dropout: 0.1, layout: layout, rows: .tokens)
            let norm = try residualNorm(
                attended, bias: bias, residual: x[3], gain: gain, shift: bias, epsilon: 1e-12, dropout: 0.1,
                layout: layout)
            let film = try modulated(gelu(norm, bias: bias), scale: gain, shift: gain, layout: layout, rows: .tokens)
            try (film * film).sum().backward()
            results.append(try [film.elements()] + leaves.map { try $0.gradient()?.elements() ?? [] })
        }
        XCTAssertTrue(results[1] == results[0] && results[2] == results[0])
    }

    func testLayoutsThatCannotBeAreRefused() throws {
        XCTAssertThrowsError(try PackedLayout(lengths: [3, 0], slots: [0, 0], slotCount: 1))
        XCTAssertThrowsError(try PackedLayout(lengths: [3], slots: [1], slotCount: 1))
        XCTAssertThrowsError(try PackedLayout(lengths: [3], slots: [0], slotCount: 1, reads: [0]))
        XCTAssertThrowsError(try PackedLayout(lengths: [3], slots: [0], slotCount: 1, reads: [4]))
        let layout = try PackedLayout(lengths: [3], slots: [0], slotCount: 1)
        let ones = try Tensor.full([1, 4], 1)
        XCTAssertThrowsError(
            try residualNorm(
                Tensor.zeros([4, 4]), gain: ones, shift: Tensor.zeros([4]), epsilon: 1e-12, layout: layout))
    }
}
