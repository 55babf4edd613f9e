import Torch
import XCTest

private final class Leaf: Module {
    @Parameter("weight") var weight: Tensor
    @Parameter("scale") var scale: Tensor

    init(_ shape: [Int] = [2, 3], std: Double = 0.5) {
        super.init()
        _weight.declare(shape, .normal(std: std))
        _scale.declare([2], .ones)
    }
}

private class Tree: Module {
    @Child("leaf") var leaf: Leaf
    @Child("list") var list: [Leaf]
    @Child("none") var none: Leaf?
    @Child("") var inlined: Leaf?
    @Parameter("own") var own: Tensor

    init(listCount: Int, inlines: Bool = false) {
        super.init()
        leaf = Leaf()
        list = (0..<listCount).map { _ in Leaf() }
        none = nil
        inlined = inlines ? Leaf() : nil
        _own.declare([4], .zeros)
    }
}

/// With properties of its own beside those of its superclass.
private final class TallTree: Tree {
    @Child("crown") var crown: Tree

    init() {
        super.init(listCount: 0)
        crown = Tree(listCount: 1)
    }
}

final class ModuleTests: XCTestCase {
    private func names(_ module: Module) -> [String] { module.namedParameters().map(\.name) }

    func testNamesArePathsInTheOrderOfDeclaration() {
        XCTAssertEqual(
            names(Tree(listCount: 2)),
            [
                "own", "leaf.weight", "leaf.scale", "list.0.weight", "list.0.scale", "list.1.weight", "list.1.scale",
            ])
    }

    func testChildWithoutANameStandsAmongTheModulesOwn() {
        let names = names(Tree(listCount: 0, inlines: true))
        XCTAssertEqual(names, ["own", "leaf.weight", "leaf.scale", "weight", "scale"])
    }

    func testSubclassHasItsSuperclasssToo() {
        XCTAssertEqual(
            Set(names(TallTree())),
            [
                "own", "leaf.weight", "leaf.scale", "crown.own", "crown.leaf.weight", "crown.leaf.scale",
                "crown.list.0.weight", "crown.list.0.scale",
            ])
    }

    func testModulesAreFoundByTheirPaths() {
        let tree = Tree(listCount: 2)
        let modules = tree.namedModules()
        XCTAssertEqual(modules.map(\.name), ["", "leaf", "list.0", "list.1"])
        XCTAssertTrue(modules[0].module === tree)
        XCTAssertTrue(modules[3].module === tree.list[1])
    }

    // MARK: - Values

    private func values(_ module: Module, seed: UInt64) throws -> [String: [Float]] {
        try module.materialize(seed: seed)
        var values: [String: [Float]] = [:]
        for (name, parameter) in module.namedParameters() { values[name] = try parameter.wrappedValue.elements() }
        return values
    }

    func testInitialValuesAreAsDeclared() throws {
        let values = try values(Tree(listCount: 1), seed: 1)
        XCTAssertEqual(values["own"], [0, 0, 0, 0])
        XCTAssertEqual(values["leaf.scale"], [1, 1])
        XCTAssertEqual(Set(try XCTUnwrap(values["leaf.weight"])).count, 6)
        let large = Leaf([100, 100], std: 0.5)
        try large.materialize(seed: 1)
        let squares: [Double] = try (large.weight * large.weight).elements()
        // Five standard deviations of a variance of 10,000 draws.
        XCTAssertEqual(squares.reduce(0, +) / 10_000, 0.25, accuracy: 0.018)
    }

    func testInitialValuesDependOnSeedAndNameAlone() throws {
        let few = try values(Tree(listCount: 1), seed: 1)
        let many = try values(Tree(listCount: 3, inlines: true), seed: 1)
        for (name, value) in few { XCTAssertEqual(many[name], value, name) }
        let weights = many.filter { $0.key.hasSuffix("weight") }
        XCTAssertEqual(Set(weights.values).count, 5, "each has values of its own")
        XCTAssertNotEqual(try values(Tree(listCount: 1), seed: 2)["leaf.weight"], few["leaf.weight"])
    }

    func testProvidedTensorsTakeThePlaceOfInitialValues() throws {
        let tree = Tree(listCount: 1)
        var asked: [String] = []
        try tree.materialize(seed: 1, dtype: .float64) { name, parameter in
            asked.append(name)
            XCTAssertEqual(parameter.elementCount, parameter.shape.reduce(1, *))
            return name == "own" ? try Tensor([1, 2, 3, 4] as [Float]) : nil
        }
        XCTAssertEqual(asked, names(tree))
        XCTAssertEqual(try tree.own.elements(Double.self), [1, 2, 3, 4])
        for (name, parameter) in tree.namedParameters() {
            XCTAssertEqual(parameter.wrappedValue.dtype, .float64, name)
            XCTAssertTrue(parameter.isTrainable, name)
        }
    }

    func testTensorOfAnotherShapeIsRefused() {
        XCTAssertThrowsError(
            try Tree(listCount: 0).materialize(seed: 1) { name, _ in name == "own" ? try Tensor.zeros([5]) : nil }
        ) { XCTAssertEqual("\($0)", "the parameter own has shape [4], not [5]") }
    }

    func testFrozenParameterGetsNoGradient() throws {
        let leaf = Leaf([2])
        try leaf.materialize(seed: 1)
        let parameters = Dictionary(uniqueKeysWithValues: leaf.namedParameters().map { ($0.name, $0.parameter) })
        try parameters["weight"]?.setTrainable(false)
        XCTAssertEqual(parameters.mapValues(\.isTrainable), ["weight": false, "scale": true])
        try (leaf.weight * leaf.scale).sum().backward()
        XCTAssertNil(try leaf.weight.gradient())
        XCTAssertEqual(try leaf.scale.gradient()?.elements(Float.self), try leaf.weight.elements(Float.self))
    }

    // MARK: - Layers

    func testLayersComputeAndShowTheirOutput() throws {
        let linear = Linear(2, 1, std: 1)
        try linear.materialize(seed: 1) { name, _ in
            name == "weight" ? try Tensor([2, 3] as [Float], shape: [1, 2]) : try Tensor([10] as [Float])
        }
        var shown: [[Float]] = []
        linear.observer = { shown.append((try? $0.elements()) ?? []) }
        XCTAssertEqual(try linear(Tensor([1, 2] as [Float])).elements(Float.self), [18])
        linear.observer = nil
        _ = try linear(Tensor([0, 0] as [Float]))
        XCTAssertEqual(shown, [[18]])
        linear.observer = { shown.append((try? $0.elements()) ?? []) }
        let product = try linear.withoutBias(Tensor([1, 2] as [Float], shape: [1, 2]))
        XCTAssertEqual(try product.elements(Float.self), [8])
        XCTAssertEqual(shown, [[18], [18]])

        let norm = LayerNorm(4, epsilon: 0)
        try norm.materialize(seed: 1, dtype: .float64)
        let normalized: [Double] = try norm(
            Tensor([0, 1, 2, 3] as [Double], shape: [1, 4]), residual: Tensor([1, 0, 1, 0] as [Double], shape: [1, 4]),
            layout: PackedLayout(lengths: [1], slots: [0], slotCount: 1)
        ).elements()
        XCTAssertEqual(normalized, [-1, -1, 1, 1])
        let table = Embedding(3, 2, std: 1, paddingIndex: 1)
        try table.materialize(seed: 1)
        XCTAssertEqual(try table(Tensor([2, 2, 0] as [Int64])).shape, [3, 2])
    }
}
