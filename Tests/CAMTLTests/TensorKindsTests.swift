import XCTest

@testable import CAMTL

final class TensorKindsTests: XCTestCase {
    private func kinds(_ names: String...) -> String { TensorKinds(names).description }

    func testPartsAreNamedOnceAndLayersTogether() {
        XCTAssertEqual(
            kinds(
                "bert.embeddings.word_embeddings.weight", "bert.embeddings.LayerNorm.bias",
                "bert.encoder.layer.0.output.dense.weight", "bert.encoder.layer.1.output.dense.weight",
                "bert.encoder.layer.3.output.dense.weight", "bert.pooler.dense.weight", "bert.pooler.dense.bias",
                "decoders.0.model.weight", "decoders.1.model.weight"),
            "embeddings, layers 0-1 and 3, pooler, decoders")
        XCTAssertEqual(
            kinds("encoder.layer.11.output.dense.weight", "encoder.layer.11.output.dense.bias"), "layer 11")
    }

    func testWhatConditionsALayerIsNotTheLayer() {
        XCTAssertEqual(
            kinds(
                "bert.task_type_embeddings.weight", "bert.encoder.task_transformation.weight",
                "bert.encoder.layer.5.new_output.dense.weight", "bert.encoder.layer.5.new_output.dense.bias",
                "bert.encoder.layer.5.adapter.condlayernorm.weight",
                "bert.encoder.layer.4.output.LayerNorm.ln_weight_modulation.gb_weights.bias"),
            "task conditioning, layer 5")
    }

    func testATensorThatIsAloneIsGivenByItsName() {
        XCTAssertEqual(
            kinds("embeddings.position_ids", "encoder.layer.x.weight", "cls.bias"),
            "embeddings.position_ids, encoder.layer.x.weight, cls.bias")
        XCTAssertEqual(kinds("bert.encoder.layer.2.output.dense.weight"), "encoder.layer.2.output.dense.weight")
    }

    func testASummaryLeavesOutWhatThereIsNoneOf() {
        let names = ["bert.pooler.dense.weight", "bert.pooler.dense.bias"]
        XCTAssertEqual(LoadReport(path: "/a", loaded: names).summary, "/a: 2 tensors loaded (pooler)")
        XCTAssertEqual(
            LoadReport(path: "/a", loaded: names, new: ["decoders.0.model.weight"], unused: ["extra"]).summary,
            "/a: 2 tensors loaded (pooler); 1 new, at their initial values (decoders.0.model.weight); "
                + "1 of the file not used (extra)")
    }
}
