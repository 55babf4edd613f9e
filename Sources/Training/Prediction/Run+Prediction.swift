import CAMTL
import Files
import Foundation
import Tasks

/// A run's last stage: the test sets and the submission.
extension Run {
    /// The files to predict of a task: those that are there, of a task that is or will be trained.
    func testFiles(of task: TaskDefinition, id: Int, _ trained: TrainedModel) -> [DataFile] {
        guard configuration.predicts, configuration.trains || !trained.untrainedTasks.contains(id) else { return [] }
        return task.test.filter { absence(of: $0) == nil }
    }

    /// Refuses tasks none of which has a file to predict.
    func checkTestFiles(of tasks: [TaskDefinition]) throws {
        let files = tasks.flatMap(\.test)
        let absences = files.compactMap { file in absence(of: file).map { (file.name, $0) } }
        if absences.count == files.count {
            throw nothingToPredict(Dictionary(absences) { first, _ in first })
        }
    }

    /// Refuses a run that would find nothing to predict, or nowhere to write it, after all else is done.
    func checkPrediction(_ trained: TrainedModel, _ tasks: [TaskData]) throws {
        guard configuration.predicts else { return }
        if tasks.allSatisfy(\.test.isEmpty) { throw nothingToPredict(absences(trained, tasks)) }
        guard let output = configuration.outputDirectory else { return }
        let folder = Submission.folder(in: output)
        try checkOwnFolder(folder, of: output)
        let archive = Submission.archive(in: output)
        if FileManager.default.fileExists(atPath: output.path) { try checkWritable(archive) }
    }

    /// Predicts the test sets and writes the submission.
    ///
    /// - Throws: `RunError.nothingToPredict`; `PredictionError.notFinite`; the errors of writing files.
    func predict(_ trained: TrainedModel, _ tasks: [TaskData], output: URL) throws {
        let absences = absences(trained, tasks)
        let predicted = tasks.map { task in
            var task = task
            task.test.removeAll { absences[$0.name] != nil }
            return task
        }
        // Training may have come to none of the tasks whose test sets are there.
        if predicted.allSatisfy(\.test.isEmpty) { throw nothingToPredict(absences) }
        let predictions = try Evaluator(
            model: trained.model, batchSize: configuration.training.evaluationBatchSize,
            precision: configuration.training.evaluationPrecision, team: team
        ).predict(predicted)
        guard team.writes else { return }
        let submission = Submission(predictions, absences: absences)
        try openOutput(output)
        try submission.write(to: output, withProbabilities: configuration.predictsProbabilities)
        try report(.predicted(submission, output: output))
    }

    /// Refuses a file, or a link that leads elsewhere, in the place of a folder in the output folder.
    private func checkOwnFolder(_ folder: URL, of output: URL) throws {
        var isFolder: ObjCBool = true
        let files = FileManager.default
        if (try? files.destinationOfSymbolicLink(atPath: folder.path)) != nil {
            throw RunError.outputUnusable(
                path: output.path,
                reason: "\(folder.path) is a symbolic link, and nothing is written outside of the output folder; "
                    + "remove it, or name another --output_dir")
        }
        if files.fileExists(atPath: folder.path, isDirectory: &isFolder), !isFolder.boolValue {
            throw RunError.outputUnusable(path: output.path, reason: "\(folder.path) is a file")
        }
    }

    private func nothingToPredict(_ absences: [String: Submission.Absence]) -> RunError {
        var reasons: [String] = []
        for (_, absence) in absences.sorted(by: { $0.key < $1.key }) where !reasons.contains(absence.description) {
            reasons.append(absence.description)
        }
        return .nothingToPredict(reasons: reasons)
    }

    /// Why sets of the run's tasks are not predicted, by the sets' names.
    private func absences(_ trained: TrainedModel, _ tasks: [TaskData]) -> [String: Submission.Absence] {
        var result: [String: Submission.Absence] = [:]
        for task in tasks {
            // Under some samplings a short run never comes to a small task.
            let isUntrained = trained.untrainedTasks.contains(task.id)
            for file in task.definition.test {
                if let absence = absence(of: file) ?? (isUntrained ? .untrained(task: task.definition.name) : nil) {
                    result[file.name] = absence
                }
            }
        }
        return result
    }

    /// nil if the file is there.
    private func absence(of file: DataFile) -> Submission.Absence? {
        do {
            _ = try file.urls(in: configuration.dataDirectory)
            return nil
        } catch {
            return .noFile("\(error)")
        }
    }
}
