import ArgumentParser
import CAMTL

/// How a command that loads a whole model says which tensors of its file it has no use for.
struct TensorNaming: ParsableArguments {
    @Flag(name: .customLong("verbose"), help: "Name every tensor of the model's file that is not used.")
    var verbose = false

    /// Says it on standard error, in one line, or two with their names.
    func reportUnused(_ report: LoadReport) {
        guard !report.unused.isEmpty else { return }
        let count = report.unused.count == 1 ? "1 tensor is" : "\(report.unused.count) tensors are"
        writeToStandardError("\(report.path): \(count) not used: \(TensorKinds(report.unused))\n")
        if verbose { writeToStandardError("not used: \(patterns(of: report.unused))\n") }
    }
}
