import Torch
import XCTest

/// One pass over a mixed batch computes what the original computes, and so do its gradients.
final class GoldenPassTests: ComputingTestCase {
    // The original pads every batch to the maximum length. On pad positions, too, each module computes what its does.

    func testEveryModuleComputesWhatTheOriginalsDoes() throws {
        try forEachRun(.float32, cut: .none) { try $0.compareActivations() }
    }

    func testEveryModuleComputesWhatTheOriginalsDoesInFloat64() throws {
        try forEachRun(.float64, cut: .none) { try $0.compareActivations() }
    }

    func testOutputsAreTheOriginals() throws {
        try forEachRun(.float32, cut: .none) { try $0.compareOutputs() }
    }

    func testOutputsAreTheOriginalsInFloat64() throws {
        try forEachRun(.float64, cut: .none) { try $0.compareOutputs() }
    }

    func testGradientsAreTheOriginals() throws {
        try forEachRun(.float32, cut: .none) { try $0.compareGradients() }
    }

    func testGradientsAreTheOriginalsInFloat64() throws {
        try forEachRun(.float64, cut: .none) { try $0.compareGradients() }
    }

    // Here that is only one way to lay out a batch. The others give the same on all positions that they have.

    func testBatchPaddedToItsLongestSequenceGivesTheSame() throws {
        try forEachRun(.float32, cut: .toLongest, compareAll)
    }

    func testBatchPaddedToItsLongestSequenceGivesTheSameInFloat64() throws {
        try forEachRun(.float64, cut: .toLongest, compareAll)
    }

    func testSequencesWithoutPaddingGiveTheSame() throws {
        try forEachRun(.float32, cut: .toTokens, compareAll)
    }

    func testSequencesWithoutPaddingGiveTheSameInFloat64() throws {
        try forEachRun(.float64, cut: .toTokens, compareAll)
    }

    // What only the other tokens' outputs need is left out in training and in prediction.

    func testReadingFirstTokensAloneGivesTheSame() throws {
        for dtype in [DType.float32, .float64] {
            try forEachRun(dtype, cut: .toTokens, sequence: false) { pass in
                XCTAssertNil(pass.output.sequence)
                try pass.compareOutputs()
                try pass.compareGradients()
            }
        }
    }

    /// 8-bit integers in the wide layers disturb the logits by a few percent of their size.
    func testQuantizedLayersGiveNearlyTheSame() throws {
        try forEachRun(.float32, cut: .toTokens, sequence: false) { pass in
            let quantized = try pass.model.quantizedLayers()
            let output = try withoutGradients { try pass.model(pass.batch.packed(.toTokens), quantized: quantized) }
            for (ours, exact) in zip(output.tasks, pass.output.tasks) {
                let (ours, exact): ([Double], [Double]) = try (ours.logits.elements(), exact.logits.elements())
                let size = exact.map(abs).max() ?? 0
                XCTAssertNotEqual(ours, exact)
                for (a, b) in zip(ours, exact) { XCTAssertEqual(a, b, accuracy: 0.1 * size + 0.02, "\(pass.run)") }
            }
        }
    }

    private func compareAll(_ pass: ForwardPass) throws {
        try pass.compareActivations()
        try pass.compareOutputs()
        try pass.compareGradients()
    }

    private func forEachRun(
        _ dtype: DType, cut: GoldenBatch.Cut, sequence: Bool = true, _ body: (ForwardPass) throws -> Void
    ) throws {
        let models = try TinyModels.read()
        try forEachChoice(in: dtype) {
            try GoldenFiles.forEach(models.runs.filter { $0.dtype == dtype }) {
                try body(ForwardPass($0, of: models, cut: cut, sequence: sequence))
            }
        }
    }
}
