import CAMTL
import Foundation
import Tasks
import TestSupport
import Torch
import XCTest

@testable import Training

/// A checkpoint that is damaged in any way is refused, or training goes on from it to the same bytes.
final class ResumeFromDamageTests: ToyTestCase {
    private let settings = {
        var settings = TrainingSettings.toy(.uniform(share: 0.5), steps: 8)
        settings.saveSteps = 4
        settings.loggingSteps = 3
        settings.evaluationSteps = 4
        return settings
    }()
    private var saved: URL { directory.appendingPathComponent("saved") }
    private var damaged: URL { directory.appendingPathComponent("damaged") }
    private var expected: [String: [UInt8]] = [:]
    private var random = RandomStream(seed: 1, purpose: "damage")

    override func setUpWithError() throws {
        try super.setUpWithError()
        try writeModel(.bert, ToyModel.tinyBackbone, tasks: ["cola", "sts-b"])
        for (name, count) in [("cola", 20), ("sts-b", 12)] { try writeData(name, train: count, dev: 4) }
        expected = try train(settings).trained.weights()
        try FileManager.default.copyItem(at: outputDirectory.appendingPathComponent("checkpoint-4"), to: saved)
    }

    /// The weights after the training that goes on from a checkpoint.
    private func weightsGoingOn(from checkpoint: URL) throws -> [String: [UInt8]] {
        let state = try ResumeState.readWhole(from: checkpoint)
        let trained = try TrainedModel(folder: checkpoint)
        let trainer = try Trainer(trained, tasks: loadData(trained), settings: settings) { _ in }
        try seedRandomStream(999)
        try trainer.resume(from: checkpoint, state)
        _ = try trainer.run(outputDirectory: outputDirectory)
        return try trained.weights()
    }

    /// Changes a copy of the checkpoint and goes on from it; whether it was refused.
    private func isRefused(_ what: String, _ change: (URL) throws -> Void) throws -> Bool {
        try? FileManager.default.removeItem(at: damaged)
        try FileManager.default.copyItem(at: saved, to: damaged)
        try change(damaged)
        do {
            let weights = try weightsGoingOn(from: damaged)
            XCTAssertEqual(differences(weights, expected), [], "\(what): other weights, and no message")
            return false
        } catch let error as ResumeError {
            guard case .notWhole = error else {
                XCTFail("\(what): \(error)")
                return true
            }
            return true
        }
    }

    private func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: saved.path).sorted()
    }

    func testFlippedBitsAndCutsOfAnyFileAreRefused() throws {
        XCTAssertFalse(try isRefused("as it was") { _ in })
        for name in try files() {
            let size = try Data(contentsOf: saved.appendingPathComponent(name)).count
            for _ in 0..<25 {
                let (place, bit) = (Int.random(in: 0..<size, using: &random), Int.random(in: 0..<8, using: &random))
                let isRefused = try isRefused("bit \(bit) of byte \(place) of \(name)") { folder in
                    let url = folder.appendingPathComponent(name)
                    var data = try Data(contentsOf: url)
                    data[place] ^= 1 << bit
                    try data.write(to: url)
                }
                XCTAssertTrue(isRefused, "bit \(bit) of byte \(place) of \(name)")
            }
            for length in Set(stride(from: 0, to: size, by: 4096)).union([size / 2, size - 1]) {
                let isRefused = try isRefused("\(length) bytes of \(name)") { folder in
                    let url = folder.appendingPathComponent(name)
                    try Data(contentsOf: url).prefix(length).write(to: url)
                }
                XCTAssertTrue(isRefused, "\(length) bytes of \(name)")
            }
        }
    }

    func testAStateWhoseChecksumsNameIsDamagedIsRefused() throws {
        let name = ResumeState.fileName
        let content = try Data(contentsOf: saved.appendingPathComponent(name))
        let key = try XCTUnwrap(content.firstRange(of: Data("\"checksum\"".utf8)))
        for place in key {
            let isRefused = try isRefused("byte \(place)") { folder in
                var data = content
                data[place] ^= 1 << 1
                try data.write(to: folder.appendingPathComponent(name))
            }
            XCTAssertTrue(isRefused, "byte \(place)")
        }
    }

    func testMissingSwappedAndAddedFilesAreRefused() throws {
        let names = try files()
        let other = outputDirectory.appendingPathComponent("checkpoint-8")
        for name in names {
            let isMissingRefused = try isRefused("without \(name)") {
                try FileManager.default.removeItem(at: $0.appendingPathComponent(name))
            }
            XCTAssertTrue(isMissingRefused, name)
            // One of another checkpoint; those of the same bytes are the same.
            let replacement = try Data(contentsOf: other.appendingPathComponent(name))
            let isSame = try replacement == Data(contentsOf: saved.appendingPathComponent(name))
            let isOtherRefused = try isRefused("\(name) of another checkpoint") {
                try replacement.write(to: $0.appendingPathComponent(name))
            }
            XCTAssertEqual(isOtherRefused, !isSame, name)
        }
        for name in ["pytorch_model.bin", "tokenizer.json", "added_tokens.json", "merges.txt"] {
            let isRefused = try isRefused("an added \(name)") {
                try Data("{}".utf8).write(to: $0.appendingPathComponent(name))
            }
            XCTAssertTrue(isRefused, name)
        }
        let isNoteRefused = try isRefused("a note") {
            try Data("{}".utf8).write(to: $0.appendingPathComponent("NOTE.md"))
        }
        XCTAssertFalse(isNoteRefused, "what nothing reads does no harm")
    }

    // MARK: - The state

    private func state(in folder: URL) -> URL { folder.appendingPathComponent(ResumeState.fileName) }

    func testChangedNumbersOfTheStateAreRefused() throws {
        let text = try String(contentsOf: state(in: saved), encoding: .utf8)
        let places = Damage.numbers(in: text)
        XCTAssertGreaterThan(places.count, 30)
        for place in places {
            for number in ["7", "-1"] where text[place] != number {
                let isRefused = try isRefused("\(number) at \(text[..<place.lowerBound].suffix(30))") {
                    try Data(text.replacingCharacters(in: place, with: number).utf8).write(to: state(in: $0))
                }
                XCTAssertTrue(isRefused, "\(number) at \(text[..<place.lowerBound].suffix(30))")
            }
        }
    }

    /// Whoever changes a file on purpose can make its checksum right; that mustn't crash, nor train without end.
    func testNumbersOutOfRangeUnderARightChecksumAreRefused() throws {
        try assertRefusesNumbers(["-1", "1000", "9223372036854775807"])
    }

    private func assertRefusesNumbers(_ extremes: [String]) throws {
        let text = try String(contentsOf: state(in: saved), encoding: .utf8)
        // A stream's state may be any number; so may sums of losses and tokens, and what is there to be compared with.
        let free = ["key", "counter", "state", "loss", "total", "tokens", "seconds", "value", "latest"]
        for place in Damage.numbers(in: text) {
            let before = text[..<place.lowerBound]
            let name = before.split(separator: "\"").dropLast().last.map(String.init) ?? ""
            for number in extremes {
                let changed = ResumeState.sealed(
                    Data(text.replacingCharacters(in: place, with: number).utf8))
                try? FileManager.default.removeItem(at: damaged)
                try FileManager.default.copyItem(at: saved, to: damaged)
                try changed.write(to: state(in: damaged))
                do {
                    _ = try weightsGoingOn(from: damaged)
                    XCTAssertTrue(free.contains(name), "\(number) at \(before.suffix(40)) went through")
                } catch is ResumeError {}
            }
        }
    }

    func testACheckpointOfSizesAloneGoesOn() throws {
        let isRefused = try isRefused("the first format") { folder in
            try removeChecksums(in: folder)
            XCTAssertTrue(try ResumeState.read(from: folder).isOfOldFormat)
        }
        XCTAssertFalse(isRefused)
        var configuration = RunConfiguration(
            modelFolder: modelFolder, dataDirectory: dataDirectory, cacheDirectory: cacheDirectory)
        (configuration.outputDirectory, configuration.trains) = (outputDirectory, true)
        (configuration.training, configuration.resumes) = (settings, .checkpoint(damaged))
        var warned: [URL] = []
        try Run(configuration) { if case .withoutChecksums(let folder) = $0 { warned.append(folder) } }.execute()
        XCTAssertEqual(warned, [damaged])
    }

    private func removeChecksums(in folder: URL) throws {
        let text = try String(contentsOf: state(in: folder), encoding: .utf8)
        let old = text.replacing(/"checksum":"[0-9a-f]{8}",/, with: "").replacing(/"checksums":\{[^}]*\},/, with: "")
        XCTAssertLessThan(old.count, text.count)
        try Data(old.utf8).write(to: state(in: folder))
    }

    func testOfTheFirstFormatNoNumberCrashesEither() throws {
        try removeChecksums(in: saved)
        try assertRefusesNumbers(["9223372036854775807"])
    }

    // MARK: - The output folder

    func testTheNewestWholeCheckpointIsTakenAndTheDamagedOneNamed() throws {
        let checkpoints = Checkpoints(outputDirectory: outputDirectory)
        func newest() throws -> (folder: String?, passedOver: [String]) {
            var passedOver: [String] = []
            let found = try checkpoints.newest { folder, reason in
                passedOver.append("\(folder.lastPathComponent): \(reason)")
            }
            return (found?.folder.lastPathComponent, passedOver)
        }
        XCTAssertEqual(try newest().folder, "checkpoint-8")
        let url = outputDirectory.appendingPathComponent("checkpoint-8/optimizer.safetensors")
        var data = try Data(contentsOf: url)
        data[data.count - 2] ^= 4
        try data.write(to: url)
        let (folder, passedOver) = try newest()
        XCTAssertEqual(folder, "checkpoint-4")
        XCTAssertEqual(
            passedOver, ["checkpoint-8: optimizer.safetensors is damaged: the checksum is not that of its content"])
    }

    func testADamagedMarkOfTheLastRunIsRefused() throws {
        let mark = outputDirectory.appendingPathComponent(Checkpoints.markName)
        let checkpoints = Checkpoints(outputDirectory: outputDirectory)
        let whole = try Data(contentsOf: mark)
        let run = try checkpoints.lastRun()
        for place in whole.indices {
            var data = whole
            data[place] ^= 1
            try data.write(to: mark)
            XCTAssertThrowsError(try checkpoints.lastRun(), "byte \(place)") { error in
                guard case ResumeError.damagedMark = error else { return XCTFail("\(error)") }
            }
        }
        // As it was before it had a checksum.
        try whole.prefix(36).write(to: mark)
        XCTAssertEqual(try checkpoints.lastRun(), run)
        try FileManager.default.removeItem(at: mark)
        XCTAssertNil(try checkpoints.lastRun())
    }
}
