import CAMTL
import Tasks
import XCTest

final class FreezingTests: XCTestCase {
    func testOriginalsRuleFreezesTheOriginalsParameters() throws {
        for (name, kind) in try TinyModels.read().kinds {
            for (range, expected) in kind.freeze {
                let model = try kind.model(name, .float32)
                let report = try model.freeze(FreezeRange(parsing: range), asOriginal: true)
                let trainable = model.namedParameters().filter(\.parameter.isTrainable).map(\.name)
                XCTAssertEqual(Set(report.frozen), Set(expected.frozen), "\(name) \(range)")
                XCTAssertEqual(Set(trainable), Set(expected.trainable), "\(name) \(range)")
                XCTAssertEqual(report.trainableCount, expected.nTrainable, "\(name) \(range)")
                XCTAssertEqual(report.totalCount, expected.nTotal, "\(name) \(range)")
            }
        }
    }

    func testOriginalsRuleFreezesTheOriginalsParametersOfFullModels() throws {
        for (table, configuration) in try ParameterTable.all() {
            let sizes = Dictionary(uniqueKeysWithValues: table.params.map { ($0.name, $0.shape.reduce(1, *)) })
            for (text, trainable) in table.trainable {
                let range = try FreezeRange(parsing: text)
                // The original takes a range past the last layer; it is refused here.
                guard range.layers.upperBound < configuration.backbone.layerCount else { continue }
                let frozen = try configuration.narrowed().freeze(range, asOriginal: true).frozen
                let expected = table.params.filter { $0.frozenWith.contains(text) }.map(\.name)
                XCTAssertEqual(Set(frozen), Set(expected), text)
                let frozenCount = frozen.reduce(0) { $0 + sizes[$1, default: 0] }
                XCTAssertEqual(sizes.values.reduce(0, +) - frozenCount, trainable, text)
            }
        }
    }

    /// Everything that a pretrained encoder has in the layers, and the embeddings; nothing that starts at random.
    func testFreezesWhatComesFromThePretrainedEncoder() throws {
        for (table, configuration) in try ParameterTable.all() {
            let last = configuration.backbone.layerCount - 1
            for layers in [0...0, 0...last / 2, last / 2...last, last...last] {
                let frozen = try configuration.narrowed().freeze(FreezeRange(layers)).frozen
                let expected = table.params.filter { entry in
                    let isInRange = layers.contains { entry.name.hasPrefix("bert.encoder.layer.\($0).") }
                    return entry.pretrained && (isInRange || entry.name.hasPrefix("bert.embeddings."))
                }
                XCTAssertEqual(Set(frozen), Set(expected.map(\.name)), "\(layers)")
            }
        }
    }

    /// The original freezes the attention bias' γ and β, and the base variant's last layer, at their random start.
    func testTrainsWhatTheOriginalFreezesAtRandom() throws {
        var ranges = 0
        for (name, kind) in try TinyModels.read().kinds {
            for (range, original) in kind.freeze {
                let frozen = try kind.model(name, .float32).freeze(FreezeRange(parsing: range)).frozen
                let atRandom = original.frozen.filter { $0.contains(".cond_block_diag_attn.") || $0.contains(".new_") }
                XCTAssertEqual(Set(frozen), Set(original.frozen).subtracting(atRandom), "\(name) \(range)")
                XCTAssertFalse(atRandom.isEmpty, "\(name) \(range)")
                ranges += 1
            }
        }
        XCTAssertGreaterThan(ranges, 0)
    }

    /// The original fails on it.
    func testPlainBERTFreezesItsLayers() throws {
        var configuration = ModelConfiguration.full(.caMTLBase, tasks: TaskHead.named(["a"], [2]))
        configuration.encoderType = .bert
        let frozen = try configuration.narrowed().freeze(FreezeRange(2...3)).frozen
        XCTAssertEqual(frozen.count, 5 + 2 * 16)
        XCTAssertTrue(
            frozen.allSatisfy { name in
                ["bert.embeddings.", "bert.encoder.layer.2.", "bert.encoder.layer.3."].contains { name.hasPrefix($0) }
            })
    }

    func testNoRangeTrainsEverything() throws {
        let model = try ModelConfiguration.full(.caMTLBase, tasks: TaskHead.named(["a"], [2])).narrowed()
        _ = try model.freeze(FreezeRange(0...3))
        let report = try model.freeze(nil)
        XCTAssertEqual(report.frozen, [])
        XCTAssertEqual(report.trainableCount, report.totalCount)
        XCTAssertTrue(model.namedParameters().allSatisfy(\.parameter.isTrainable))
    }

    func testRefusesLayersThatAreNotThere() throws {
        let model = try ModelConfiguration.full(.caMTLBase, tasks: TaskHead.named(["a"], [2])).narrowed()
        XCTAssertNoThrow(try model.freeze(FreezeRange(0...11)))
        XCTAssertThrowsError(try model.freeze(FreezeRange(0...12))) {
            XCTAssertEqual("\($0)", "--freeze_encoder_layers 0-12: this encoder's layers are 0 to 11")
        }
    }

    func testRefusesWhatIsNoRange() {
        for text in ["", "3", "-", "3-", "-3", "5-3", "a-b", "0-1-2", "-1-2", "0 - 3"] {
            XCTAssertThrowsError(try FreezeRange(parsing: text), text) {
                XCTAssertTrue("\($0)".contains("not '\(text)'"), "\($0)")
            }
        }
        XCTAssertEqual(try FreezeRange(parsing: "4-4").layers, 4...4)
    }
}

extension ModelConfiguration {
    /// A model with the same parameters by name, but only a few values in each.
    fileprivate func narrowed() throws -> CAMTLModel {
        var narrow = self
        narrow.backbone.hiddenSize = backbone.attentionHeadCount
        narrow.backbone.intermediateSize = 2
        narrow.backbone.vocabularySize = 2
        narrow.backbone.maxPositions = 4
        narrow.maxSequenceLength = 4
        let model = try CAMTLModel(narrow)
        try model.materialize(seed: 1)
        return model
    }
}
