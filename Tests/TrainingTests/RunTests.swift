import CAMTL
import Foundation
import Tasks
import Torch
import Training
import XCTest

/// From raw files to a model and its figures.
final class RunTests: ToyTestCase {
    private func configuration(_ change: (inout RunConfiguration) -> Void = { _ in }) -> RunConfiguration {
        var configuration = RunConfiguration(
            modelFolder: modelFolder, dataDirectory: dataDirectory, cacheDirectory: cacheDirectory)
        configuration.outputDirectory = outputDirectory
        configuration.trains = true
        configuration.training = .toy(steps: 4)
        change(&configuration)
        return configuration
    }

    private func run(_ configuration: RunConfiguration) throws -> [RunEvent] {
        var events: [RunEvent] = []
        try Run(configuration) { events.append($0) }.execute()
        return events
    }

    private func evaluation(_ events: [RunEvent]) throws -> EvaluationReport {
        try XCTUnwrap(events.lazy.compactMap { if case .evaluated(let report) = $0 { report } else { nil } }.first)
    }

    private func outputFiles() -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: outputDirectory.path).sorted()) ?? []
    }

    private func prepare() throws {
        try writeModel(tasks: ["cola", "sts-b"])
        for name in ["cola", "sts-b"] { try writeData(name, train: 16) }
    }

    func testSavedModelHasTheTrainedModelsFigures() throws {
        try prepare()
        let trained = try evaluation(run(configuration { $0.evaluates = true }))
        XCTAssertEqual(
            outputFiles(),
            [
                ".camtl-run", "config.json", "model.safetensors", "tokenizer_config.json", "trainer_state.json",
                "vocab.txt",
            ])
        let loaded = try evaluation(
            run(
                configuration {
                    ($0.modelFolder, $0.outputDirectory) = (outputDirectory, nil)
                    ($0.trains, $0.evaluates) = (false, true)
                }))
        XCTAssertEqual(loaded, trained)
    }

    /// Two runs that begin at the same time both find the folder empty.
    func testAFolderThatAnotherRunHasFilledMeanwhileIsKept() throws {
        try prepare()
        let file = outputDirectory.appendingPathComponent("model.safetensors")
        let outputDirectory = outputDirectory
        let run = Run(configuration()) { event in
            guard case .loaded = event else { return }
            try FileManager.default.createDirectory(at: outputDirectory, withIntermediateDirectories: true)
            try Data("another's".utf8).write(to: file)
        }
        XCTAssertThrowsError(try run.execute()) {
            guard case RunError.outputNotEmpty = $0 else { return XCTFail("\($0)") }
        }
        XCTAssertEqual(try Data(contentsOf: file), Data("another's".utf8))
        XCTAssertEqual(outputFiles(), ["model.safetensors"])
    }

    func testSameRunGivesTheSameFile() throws {
        try prepare()
        let file = outputDirectory.appendingPathComponent("model.safetensors")
        _ = try run(configuration())
        let first = try Data(contentsOf: file)
        _ = try run(configuration { $0.overwritesOutput = true })
        XCTAssertEqual(try Data(contentsOf: file), first)
    }

    func testSaysHowMuchOfTheDataWasUsed() throws {
        try prepare()
        let events = try run(configuration { $0.training.sampling = .sequential })
        let summary = try XCTUnwrap(events.lazy.compactMap { if case .trained(let it) = $0 { it } else { nil } }.first)
        XCTAssertEqual(summary.steps, 4)
        XCTAssertEqual(summary.usage.share, 1)
        for task in summary.usage.ordered {
            XCTAssertEqual([task.available, task.used, task.updates], [16, 16, 16], task.name)
        }
    }

    func testLossThatIsNotFiniteLeavesNoOutput() throws {
        try prepare()
        XCTAssertThrowsError(try run(configuration { $0.training.optimizer.learningRate = 1e38 })) {
            guard case TrainingError.lossNotFinite(step: 2, loss: _, tasks: _) = $0 else { return XCTFail("\($0)") }
        }
        XCTAssertEqual(outputFiles(), [])
        XCTAssertNoThrow(try run(configuration()), "the folder can be used")
    }

    func testOutputFolderThatIsNotEmptyIsLeftAlone() throws {
        try prepare()
        try FileManager.default.createDirectory(at: outputDirectory, withIntermediateDirectories: true)
        try Data("notes".utf8).write(to: outputDirectory.appendingPathComponent("notes.txt"))
        XCTAssertThrowsError(try run(configuration())) {
            guard case RunError.outputNotEmpty(path: outputDirectory.path) = $0 else { return XCTFail("\($0)") }
        }
        XCTAssertEqual(outputFiles(), ["notes.txt"])
        _ = try run(configuration { $0.overwritesOutput = true })
        XCTAssertTrue(outputFiles().contains("model.safetensors"))
    }

    func testRunWithNothingToDoIsRefused() throws {
        XCTAssertThrowsError(try run(configuration { $0.trains = false })) {
            guard case RunError.nothingToDo = $0 else { return XCTFail("\($0)") }
        }
    }
}
