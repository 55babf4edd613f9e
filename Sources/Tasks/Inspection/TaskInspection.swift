import Tokenization

/// What of a row is looked at.
enum InspectedPart: Sendable {
    case target
    /// Its texts, too; their lengths where there is a tokenizer.
    case all(WordPieceTokenizer?)
}

/// What there is to say of a slice of a file's rows.
struct InspectedSlice: Sendable {
    /// A row without its texts.
    struct Row: Sendable {
        let fingerprint: RowFingerprint?
        let target: [Float]
        /// In tokens; nil without a tokenizer.
        let length: Int?
        let line: Int
        /// What the row becomes for the model, where its label is not read apart from its texts.
        let examples: [InspectedExample]
    }

    private(set) var rows: [Row] = []
    private(set) var skippedRows = 0
    private(set) var problems: [DataFileError] = []

    /// - Throws: what is no damage of a row.
    init(
        _ spans: [RowSpan], of bytes: UnsafeRawBufferPointer, _ source: ExampleSource, _ part: InspectedPart,
        _ kind: any TaskKind
    ) throws {
        for span in spans {
            do {
                guard case .row(let row) = try source.parser.outcome(of: span, in: bytes) else {
                    skippedRows += 1
                    continue
                }
                rows.append(try InspectedSlice.row(row, of: bytes, part, kind))
            } catch let problem as DataFileError {
                problems.append(problem)
            } catch let problem as DataFileError.Problem {
                problems.append(DataFileError(path: source.path, line: span.line, problem: problem.at(span.path)))
            }
        }
    }

    private static func row(
        _ row: Tasks.Row, of bytes: UnsafeRawBufferPointer, _ part: InspectedPart, _ kind: any TaskKind
    ) throws -> Row {
        guard case .all(let tokenizer) = part else {
            return Row(fingerprint: nil, target: row.target, length: nil, line: row.line, examples: [])
        }
        return try row.withContents(of: bytes) { contents in
            // No sequence is cut.
            let encoder = tokenizer.map { ExampleEncoder(tokenizer: $0, maxSequenceLength: 1 << 40) }
            let examples = try encoder.map { try kind.examples(of: contents, encoder: $0) }
            return Row(
                fingerprint: RowFingerprint(contents.texts + contents.choices),
                target: row.labels.isEmpty ? row.target : RowFingerprint(contents.labels.compactMap { $0 }).target,
                length: examples?.flatMap(\.sequences).map(\.inputIDs.count).max(), line: row.line,
                examples: kind is any SequenceKind ? [] : (examples ?? []).map { InspectedExample($0, kind) })
        }
    }
}

/// An example without its tokens.
struct InspectedExample: Sendable {
    let marks: ExampleMarks
    /// The logits that a decoder would give.
    let logits: Int

    init(_ example: EncodedExample, _ kind: any TaskKind) {
        marks = example.marks
        logits = kind.logitRows(lengths: example.sequences.map(\.inputIDs.count)) * kind.width
    }
}

extension RowFingerprint {
    /// What stands for a label of another kind than numbers, to tell whether two are equal.
    fileprivate var target: [Float] { [Float(high >> 40), Float(low >> 40)] }
}

/// What there is to say of a task's data so far.
struct TaskInspection {
    /// What there is to say of one set, but for rows that are equal.
    struct Set {
        let name: String
        let split: Split
        let share: Double?
        var rows = 0
        var skippedRows = 0
        /// nil in a set without labels.
        var targets: (any TargetSummary)?
        /// Of all examples of a set to evaluate on, one after the other.
        var labels: [Float] = []
        var examples: [InspectedExample] = []
        var lengths: LengthCounts?
    }

    let task: TaskDefinition
    private let lengths: LengthCounts?
    private let index = RowIndex()
    private var paths: [String] = []
    private(set) var sets: [Set] = []
    private(set) var missing: [String] = []

    /// - Parameter lengths: those of no row; nil where they are not measured.
    init(_ task: TaskDefinition, lengths: LengthCounts?) {
        self.task = task
        self.lengths = lengths
    }

    /// Begins a set; the training set is the first.
    mutating func beginSet(_ name: String, _ split: Split, share: Double? = nil) -> Int {
        let targets = split == .test ? nil : task.kind.makeTargetSummary()
        sets.append(Set(name: name, split: split, share: share, targets: targets, lengths: lengths))
        return sets.count - 1
    }

    /// Notes a set to predict that isn't there.
    mutating func note(missing name: String) { missing.append(name) }

    /// Notes rows that were left out of a set.
    mutating func add(skippedRows count: Int, to set: Int) { sets[set].skippedRows += count }

    /// Adds a row of the file at `path` to a set.
    ///
    /// - Throws: `InspectionError`.
    mutating func add(_ row: InspectedSlice.Row, to set: Int, path: String) throws {
        sets[set].rows += 1
        if task.kind is any SequenceKind {
            sets[set].targets?.add(ExampleMarks(target: row.target))
            if sets[set].split == .dev { sets[set].labels += row.target }
        } else {
            for example in row.examples { sets[set].targets?.add(example.marks) }
            if sets[set].split == .dev { sets[set].examples += row.examples }
        }
        if let length = row.length { sets[set].lengths?.add(length) }
        if paths.last != path { paths.append(path) }
        guard let fingerprint = row.fingerprint else { return }
        try index.add(RowEntry(fingerprint, target: row.target, set: set, file: paths.count - 1, line: row.line))
    }

    /// - Throws: `InspectionError`; `MetricError`.
    func report() throws -> TaskReport {
        let reports = zip(sets, try index.repetitions(setCount: sets.count)).map(report)
        return TaskReport(task: task, sets: reports, missing: missing, baselines: try baselines())
    }

    private func report(_ set: Set, _ repetitions: RowRepetitions) -> SetReport {
        SetReport(
            name: set.name, split: set.split, share: set.share, rows: set.rows, skippedRows: set.skippedRows,
            targets: set.targets?.figures ?? [], lengths: set.lengths,
            duplicates: SetReport.Duplicates(
                rows: repetitions.rows, texts: repetitions.texts, conflictingTexts: repetitions.conflictingTexts,
                conflictingRows: repetitions.conflictingRows, examples: places(repetitions.examples),
                conflictExamples: places(repetitions.conflictExamples)),
            shared: set.split == .train
                ? nil
                : SetReport.Shared(
                    rows: repetitions.shared, trainRows: repetitions.sharedOfTrain,
                    examples: places(repetitions.sharedExamples)))
    }

    private func places(_ examples: [[RowPlace]]) -> [[String]] {
        examples.map { $0.map { "\(paths[$0.file]):\($0.line)" } }
    }

    private func scores(of baseline: Baseline, on set: Set) throws -> Scores {
        if task.kind is any SequenceKind {
            let logits = Array(repeatElement(baseline.logits, count: set.rows).joined())
            return try task.scores(logits: logits, labels: set.labels)
        }
        return try task.scores(
            of: set.examples.map {
                DecodedExample(logits: baseline.logits(count: $0.logits)[...], marks: $0.marks)
            })
    }

    private func baselines() throws -> [TaskReport.BaselineScore] {
        guard let baseline = sets.first?.targets?.baseline else { return [] }
        return try sets.filter { $0.split == .dev }.map { set in
            TaskReport.BaselineScore(set: set.name, baseline: baseline, scores: try scores(of: baseline, on: set))
        }
    }
}
