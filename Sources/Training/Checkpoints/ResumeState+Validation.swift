extension ResumeState {
    /// Beyond any use, and far enough from where counting ends; also where an epoch has 2³² batches.
    private static let (highestEpoch, highestCount) = (1_000_000_000, 1 << 53)

    /// What no run's state can have, for a message; nil if all is possible.
    var problem: String? {
        func number(_ name: String, _ value: Int, upTo highest: Int) -> String? {
            (0...highest).contains(value) ? nil : "\(name) is \(value); it has to be from 0 to \(highest)"
        }
        let counts = [
            ("progress.step", progress.step), ("progress.batch", progress.batch),
            ("progress.examples", progress.examples), ("progress.tokens", progress.tokens),
        ]
        let own =
            counts.map { number($0.0, $0.1, upTo: ResumeState.highestCount) } + [
                number("progress.epoch", progress.epoch, upTo: ResumeState.highestEpoch)
            ]
        // The others are compared with these.
        if let problem = own.lazy.compactMap({ $0 }).first { return problem }
        let others = [
            evaluatedStep.flatMap { number("evaluatedStep", $0, upTo: progress.step) },
            best.step.flatMap { number("best.step", $0, upTo: progress.step) },
            number("best.evaluationsSince", best.evaluationsSince, upTo: progress.step),
            progress.seconds >= 0 && progress.seconds.isFinite
                ? nil : "progress.seconds is \(progress.seconds), which is no time",
            lossScaler.map(\.isPossible) == false ? "the numbers of lossScaler are not possible" : nil,
            log.isPossible(steps: progress.step, examples: progress.examples)
                ? nil : "the counts of log are not possible",
        ]
        return others.lazy.compactMap { $0 }.first
    }

    /// What a run of this plan and data can't have come to, for a message; nil if it can.
    ///
    /// - Parameters:
    ///   - plan: when the run's updates are due.
    ///   - batches: what the run draws.
    ///   - usage: the run's examples.
    func problem(plan: StepPlan, batches: BatchSource, usage: ExampleUsage) -> String? {
        let place = (progress.epoch, progress.batch)
        guard let step = plan.step(epoch: place.0, batch: place.1), step == progress.step else {
            return "progress.step is \(progress.step), which is not what batch \(place.1) of epoch \(place.0) comes to"
        }
        guard progress.step <= plan.expectedSteps else {
            return "progress.step is \(progress.step), and the run has \(plan.expectedSteps)"
        }
        guard sampler == batches.place(epoch: progress.epoch, batch: progress.batch) else {
            return "the sampler's place is not that of batch \(place.1) of epoch \(place.0)"
        }
        guard usage.accepts(self.usage, examples: progress.examples) else {
            return "the counts of examples used are not those of \(progress.examples) examples of these tasks"
        }
        return nil
    }
}

extension StepPlan {
    /// The updates made once `batch` batches of an epoch are done, after `epoch` whole ones; nil where that is no
    /// place after an update.
    func step(epoch: Int, batch: Int) -> Int? {
        guard (1...batchesPerEpoch).contains(batch), isDue(afterBatch: batch - 1) else { return nil }
        func updates(upTo batch: Int) -> Int {
            guard batch == batchesPerEpoch else { return batch / accumulationSteps }
            let hasRest = batch % accumulationSteps != 0 && isDue(afterBatch: batch - 1)
            return batch / accumulationSteps + (hasRest ? 1 : 0)
        }
        let (before, overflow) = epoch.multipliedReportingOverflow(by: updates(upTo: batchesPerEpoch))
        let (step, carry) = before.addingReportingOverflow(updates(upTo: batch))
        return overflow || carry ? nil : step
    }
}
