import XCTest

/// One pass over a mixed batch computes what the original computes, and so do its gradients.
final class GoldenPassTests: ComputingTestCase {
    /// The original pads every batch to the maximum length; here that is one way among others to lay it out. On pad positions, too,
    /// each module computes what the original's does.
    func testEveryModuleComputesWhatTheOriginalsDoes() throws {
        try forEachRun(cut: .none) { try $0.compareActivations() }
    }

    func testOutputsAreTheOriginals() throws {
        try forEachRun(cut: .none) { try $0.compareOutputs() }
    }

    func testGradientsAreTheOriginals() throws {
        try forEachRun(cut: .none) { try $0.compareGradients() }
    }

    func testBatchPaddedToItsLongestSequenceGivesTheSame() throws {
        try forEachRun(cut: .toLongest, compareAll)
    }

    func testSequencesWithoutPaddingGiveTheSame() throws {
        try forEachRun(cut: .toTokens, compareAll)
    }

    private func compareAll(_ pass: ForwardPass) throws {
        try pass.compareActivations()
        try pass.compareOutputs()
        try pass.compareGradients()
    }

    private func forEachRun(cut: GoldenBatch.Cut, _ body: (ForwardPass) throws -> Void) throws {
        let models = try TinyModels.read()
        try GoldenFiles.forEach(models.runs) { try body(ForwardPass($0, of: models, cut: cut)) }
    }
}
