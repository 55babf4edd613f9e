/// Which evaluation has been the best so far.
struct BestModel: Sendable, Equatable, Codable {
    /// The key of the figure that tells.
    let metric: String
    /// nil before the first evaluation that has a number.
    private(set) var value: Double?
    private(set) var step: Int?
    /// Evaluations in a row since then.
    private(set) var evaluationsSince = 0
    /// The last evaluation's figure, NaN where it is not defined; nil before the first.
    private(set) var latest: Double?

    init(_ figure: BestFigure) { metric = figure.key }

    /// Notes an evaluation.
    mutating func record(_ report: EvaluationReport, step: Int, figure: BestFigure) {
        let current = figure.value(in: report)
        latest = current
        guard figure.isBetter(current, than: value ?? .nan) else {
            evaluationsSince += 1
            return
        }
        (value, self.step, evaluationsSince) = (current, step, 0)
    }
}
