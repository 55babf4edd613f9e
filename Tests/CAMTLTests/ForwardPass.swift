import CAMTL
import Tasks
import Torch
import XCTest

/// A model's pass over a golden batch, there and back, and its comparison with the original's.
struct ForwardPass {
    let run: TinyRun
    let kind: TinyKind
    let batch: GoldenBatch
    let cut: GoldenBatch.Cut
    let golden: GoldenTensors
    let model: CAMTLModel
    let output: ModelOutput
    let loss: BatchLoss
    /// What each module computed, by its name.
    private let activations: [String: Tensor]

    /// - Throws: `XCTSkip` if the golden set has not all the files of `run`.
    init(_ run: TinyRun, of models: TinyModels, cut: GoldenBatch.Cut, sequence: Bool = true) throws {
        let kind = try XCTUnwrap(models.kinds[run.kind])
        let model = try kind.model(run.kind, run.dtype)
        golden = try GoldenFiles.tensors("tiny_\(run)")
        batch = try GoldenBatch(GoldenFiles.tensors("tiny_\(run.kind).inputs"), prefix: run.batch + ".")
        let recorder = Recorder(model)
        output = try model(batch.packed(cut), sequence: sequence)
        loss = try output.loss(targets: batch.labels.map { [$0] }, configuration: model.configuration)
        try loss.total.backward()
        activations = recorder.activations
        (self.run, self.kind, self.cut, self.model) = (run, kind, cut, model)
    }

    private var tolerance: Tolerance { Tolerance(run.dtype) }

    private func label(_ name: String) -> String { "\(run), rows cut \(cut): \(name)" }

    /// Every activation that the golden set has.
    func compareActivations() throws {
        let names = golden.names(after: "act.")
        XCTAssertFalse(names.isEmpty, label("there are no activations"))
        for name in names {
            let module = ForwardPass.aliases[name, default: name]
            guard let activation = activations[module] else {
                XCTFail(label("no module is called \(module)"))
                continue
            }
            let (ours, theirs) = try rows(activation, of: module, golden: "act." + name)
            assertClose(ours, theirs, within: tolerance.output, label(name))
        }
    }

    /// Modules of the original that have no counterpart by their name.
    private static let aliases = [
        // The original's tanh is a module of its own; it is the last thing that our pooler does.
        "bert.pooler.activation": "bert.pooler"
    ]

    /// Rows of our module's output and those of the original's that they are to equal.
    private func rows(_ activation: Tensor, of module: String, golden name: String) throws -> ([Double], [Double]) {
        let ours: [Double] = try activation.elements()
        let theirs = try golden.values(name)
        let shape = try XCTUnwrap(golden.info(name)).shape
        let slots = batch.taskIDs.map { task in output.tasks.firstIndex { $0.task == task } ?? 0 }
        if module.contains("ln_weight_modulation") {
            // The original computes them task by task; what it keeps is the last one's.
            return (rows([output.tasks.count - 1], of: ours, count: output.tasks.count), theirs)
        }
        if module.hasSuffix("cond_block_diag_attn") {
            // A bias for each pair of positions, of which a shorter batch has the first ones.
            let (full, kept) = (shape[1], activation.size(1))
            let corner = (0..<kept).flatMap { row in (0..<kept).map { row * full + $0 } }
            let biases = theirs.chunks(batch.count).flatMap { bias in corner.map { bias[bias.startIndex + $0] } }
            return (rows(slots, of: ours, count: output.tasks.count), biases)
        }
        let last = module.split(separator: ".").last ?? ""
        if ["task_type_embeddings", "task_transformation", "gb_weights", "emb_transf"].contains(last) {
            // Computed once a task here, once a sample there.
            return (rows(slots, of: ours, count: output.tasks.count), theirs)
        }
        if module.hasPrefix("bert.pooler") { return (ours, theirs) }
        return (ours, rows(batch.positions(cut), of: theirs, count: batch.count * batch.length))
    }

    /// Those of the `count` equal parts of `values` that `indices` names.
    private func rows(_ indices: [Int], of values: [Double], count: Int) -> [Double] {
        let parts = values.chunks(count)
        return indices.flatMap { parts[$0] }
    }

    /// Losses, entropies, logits and the encoder's outputs.
    func compareOutputs() throws {
        var compared: Set<String> = []
        func compare(
            _ name: String, _ values: [Double], _ golden: [Double]? = nil, within limit: Double? = nil
        ) throws {
            compared.insert(name)
            let golden = try golden ?? self.golden.values("out." + name)
            assertClose(values, golden, within: limit ?? tolerance.output, label(name))
        }
        if let sequence = output.sequence {
            try compare(
                "sequence_output", sequence.elements(),
                rows(
                    batch.positions(cut), of: golden.values("out.sequence_output"),
                    count: batch.count * batch.length))
        } else {
            compared.insert("sequence_output")
        }
        try compare("pooled_output", XCTUnwrap(output.pooled).elements())

        // The original's are of the run's type, ours are computed from float32 logits.
        let entropyLimit = max(tolerance.output, 1e-6)
        let (entropies, means) = try output.entropies(batch)
        var grouped = [Double](repeating: 0, count: model.configuration.tasks.count)
        for (logits, (task, taskLoss)) in zip(output.tasks, loss.tasks) {
            XCTAssertEqual(task, logits.task)
            XCTAssertEqual(logits.samples, batch.taskIDs.indices.filter { batch.taskIDs[$0] == task })
            grouped[task] = try taskLoss.item()
            try compare("logits.task\(task)", logits.logits.elements())
            try compare("loss.task\(task)", [taskLoss.item()])
            try compare("entropy.task\(task)", logits.samples.map { entropies[$0] }, within: entropyLimit)
        }
        try compare("loss", [loss.total.item()])
        // Stored in float32 in any case.
        try compare("loss_grouped_per_task", grouped, within: max(tolerance.output, 1e-6))
        try compare("entropy_per_sample", entropies, within: entropyLimit)
        try compare("entropy_mean_per_sample", means, within: entropyLimit)
        try compare("max_mean_entropy", [means.max() ?? 0], within: entropyLimit)
        XCTAssertEqual(compared, Set(golden.names(after: "out.")), label("the outputs that were compared"))

        assertClose([try loss.total.item()], [run.results.loss], within: tolerance.output, label("loss in tiny.json"))
        assertClose(entropies, run.results.entropy, within: entropyLimit, label("entropy in tiny.json"))
    }

    /// Every parameter's gradient, and which have none.
    func compareGradients() throws {
        let names = golden.names(after: "grad.")
        let largest = try names.flatMap { try golden.values("grad." + $0) }.reduce(0) { max($0, abs($1)) }
        var absent: Set<String> = []
        var present: Set<String> = []
        for (name, parameter) in model.namedParameters() {
            guard let gradient = try parameter.wrappedValue.gradient() else {
                absent.insert(name)
                continue
            }
            present.insert(name)
            guard names.contains(name) else { continue }
            try assertClose(
                gradient.elements(), golden.values("grad." + name), within: tolerance.gradient * largest,
                label("gradient of \(name)"))
        }
        XCTAssertEqual(present, Set(names), label("parameters with a gradient"))
        XCTAssertEqual(absent, Set(kind.gradNone[run.batch] ?? []), label("parameters without a gradient"))
    }
}

extension ModelOutput {
    /// The normalised entropy of each sample's prediction, and the mean of its task's in the batch.
    func entropies(_ batch: GoldenBatch) throws -> (samples: [Double], means: [Double]) {
        var samples = [Double](repeating: 0, count: batch.count)
        var means = samples
        for task in tasks {
            let rows = try task.logits.elements(Float.self).chunks(task.samples.count)
            for (sample, row) in zip(task.samples, rows) { samples[sample] = normalizedEntropy(row) }
            let mean = task.samples.reduce(0) { $0 + samples[$1] } / Double(task.samples.count)
            for sample in task.samples { means[sample] = mean }
        }
        return (samples, means)
    }
}

/// Notes what every module of a model computes.
private final class Recorder {
    private(set) var activations: [String: Tensor] = [:]

    init(_ model: CAMTLModel) {
        for (name, module) in model.namedModules() {
            module.observer = { [weak self] output in
                XCTAssertNil(self?.activations[name], "\(name) computed twice in one pass")
                self?.activations[name] = output
            }
        }
    }
}

extension Array {
    /// As many parts of equal size.
    func chunks(_ count: Int) -> [ArraySlice<Element>] {
        let size = self.count / Swift.max(count, 1)
        return (0..<count).map { self[$0 * size..<($0 + 1) * size] }
    }
}
