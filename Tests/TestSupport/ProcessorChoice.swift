import Torch
import XCTest

/// A way to compute that this processor has. All of them come to the same but for rounding.
public struct ProcessorChoice: Sendable, CustomStringConvertible {
    /// As `CAMTL_CPU_CAPABILITY` names them.
    public let instructions: String
    /// As `CAMTL_CPU_PRODUCTS` names it.
    public let products: String

    public var description: String { "\(instructions) with \(products)" }

    public func apply() throws {
        try setInstructionSet(instructions)
        try setProducts(products)
    }

    /// The loops of every instruction set that the processor has, the best first, and each library with some of them.
    public static let all: [ProcessorChoice] = {
        let instructions = ["avx512", "avx2", "portable"].filter { (try? setInstructionSet($0)) != nil }
        let products = ["mkl", "onednn"].filter { (try? setProducts($0)) != nil }
        restore()
        return instructions.indices.map {
            ProcessorChoice(instructions: instructions[$0], products: products[$0 % products.count])
        } + products.dropFirst().map { ProcessorChoice(instructions: instructions[0], products: $0) }
    }()

    /// What a process begins with where the environment says nothing.
    public static func restore() {
        for set in [setInstructionSet, setProducts] {
            do { try set("") } catch { XCTFail("\(error)") }
        }
    }
}

/// Tests whose failures say what was computed with.
open class ProcessorChoiceTestCase: XCTestCase {
    private var choice: ProcessorChoice?

    /// Those that make a difference to the tests.
    open var choices: [ProcessorChoice] { ProcessorChoice.all }

    /// Runs `body` with each of the choices, in one process. What isn't in `dtype` float32 has only one.
    public func forEachChoice(in dtype: DType = .float32, _ body: () throws -> Void) throws {
        defer {
            choice = nil
            ProcessorChoice.restore()
        }
        for choice in choices.prefix(dtype == .float32 ? .max : 1) {
            self.choice = choice
            try choice.apply()
            try body()
        }
    }

    override open func recordFailure(
        withDescription description: String, inFile file: String, atLine line: Int, expected: Bool
    ) {
        super.recordFailure(
            withDescription: (choice.map { "\($0): " } ?? "") + description, inFile: file, atLine: line,
            expected: expected)
    }
}

/// Tests that all run once for each way to compute that the processor has, after one `setUp`.
open class EveryProcessorChoiceTestCase: ProcessorChoiceTestCase {
    public required init(name: String, testClosure: @escaping XCTestCaseClosure) {
        super.init(name: name) { testCase in
            guard let every = testCase as? EveryProcessorChoiceTestCase else { return }
            try every.forEachChoice { try testClosure(testCase) }
        }
    }
}
