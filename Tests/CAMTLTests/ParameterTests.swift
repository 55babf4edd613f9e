import CAMTL
import Foundation
import Tasks
import Training
import XCTest

/// Models have the original's parameters, by name and shape.
final class ParameterTests: XCTestCase {
    func testSmallModelsHaveTheOriginalsParameters() throws {
        for (name, kind) in try TinyModels.read().kinds {
            let model = try CAMTLModel(kind.configuration(name))
            XCTAssertEqual(shapes(of: model), kind.params, name)
        }
    }

    func testFullModelsHaveTheOriginalsParameters() throws {
        for (table, configuration) in try ParameterTable.all() {
            let model = try CAMTLModel(configuration)
            XCTAssertEqual(
                shapes(of: model), Dictionary(uniqueKeysWithValues: table.params.map { ($0.name, $0.shape) }))
            XCTAssertEqual(count(model), table.nFromPretrained + table.nNew)
        }
    }

    func testWeightDecayAppliesToTheOriginalsParametersOfFullModels() throws {
        for (table, _) in try ParameterTable.all() {
            XCTAssertEqual(table.params.filter { Updater.decays($0.name) == $0.noDecay }.map(\.name), [])
        }
    }

    /// The numbers of parameters that were counted in the original's models.
    func testFullModelsHaveTheOriginalsSizes() throws {
        let nine = GLUE.tasks.map(\.head)
        let eight = nine.filter { $0.name != "wnli" }
        func size(_ configuration: ModelConfiguration) throws -> Int { count(try CAMTLModel(configuration)) }
        XCTAssertEqual(try size(.full(.caMTLBase, tasks: nine)), 128_065_570)
        XCTAssertEqual(try size(.full(.caMTLBase, tasks: eight)), 128_063_264)
        XCTAssertEqual(try size(.full(.caMTLBase, tasks: nine, maxSequenceLength: 64)), 127_741_090)
        XCTAssertEqual(try size(.full(.caMTLBase, tasks: nine, maxSequenceLength: 256)), 129_477_154)
        XCTAssertEqual(try size(.full(.caMTLLarge, tasks: nine)), 480_337_674)
        XCTAssertEqual(try size(.full(.caMTLLarge, tasks: eight)), 480_334_600)
        var baseBERT = ModelConfiguration.full(.caMTLBase, tasks: nine)
        baseBERT.encoderType = .bert
        XCTAssertEqual(try size(baseBERT), 108_324_114)
        var largeBERT = ModelConfiguration.full(.caMTLLarge, tasks: nine)
        largeBERT.encoderType = .bert
        XCTAssertEqual(try size(largeBERT), 333_597_714)
    }

    private func shapes(of model: CAMTLModel) -> [String: [Int]] {
        Dictionary(uniqueKeysWithValues: model.namedParameters().map { ($0.name, $0.parameter.shape) })
    }

    private func count(_ model: CAMTLModel) -> Int {
        model.namedParameters().reduce(0) { $0 + $1.parameter.elementCount }
    }
}

/// The original's full models, as `param_table.json` lists them.
struct ParameterTable: Decodable {
    struct Entry: Decodable {
        let name: String
        let shape: [Int]
        /// Whether a pretrained encoder's checkpoint has it.
        let pretrained: Bool
        let noDecay: Bool
        /// The ranges of layers whose freezing includes it.
        let frozenWith: [String]
    }

    let params: [Entry]
    let nFromPretrained: Int
    let nNew: Int
    /// How many values are trained, by range of frozen layers.
    let trainable: [String: Int]

    /// The tables, each with its model's configuration: that of the paper's encoders with all nine tasks.
    static func all() throws -> [(ParameterTable, ModelConfiguration)] {
        let url = GoldenFiles.shared.appendingPathComponent("reference/param_table.json")
        guard let data = try? Data(contentsOf: url) else { throw XCTSkip("needs ../shared/reference/param_table.json") }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let tables = try decoder.decode([String: ParameterTable].self, from: data)
        let tasks = GLUE.tasks.map(\.head)
        return [
            (try XCTUnwrap(tables["CA-MTL-base"]), .full(.caMTLBase, tasks: tasks)),
            (try XCTUnwrap(tables["CA-MTL-large"]), .full(.caMTLLarge, tasks: tasks)),
        ]
    }
}

extension ModelConfiguration {
    /// On bert-base-cased or bert-large-cased.
    static func full(_ type: EncoderType, tasks: [TaskHead], maxSequenceLength: Int = 128) -> ModelConfiguration {
        let isLarge = type == .caMTLLarge
        let width = isLarge ? 1024 : 768
        let backbone = BERTConfiguration(
            hiddenSize: width, layerCount: isLarge ? 24 : 12, attentionHeadCount: width / 64,
            intermediateSize: 4 * width, vocabularySize: 28_996)
        return ModelConfiguration(
            encoderType: type, backbone: backbone, maxSequenceLength: maxSequenceLength, tasks: tasks)
    }
}
