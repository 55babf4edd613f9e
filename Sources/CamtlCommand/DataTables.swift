import Files
import Foundation
import Tasks

extension Tables {
    /// Of more labels than these, the ones that are rarest in the training set are left out.
    private static let mostLabels = 20

    /// What there is to know of tasks' data: for each task a table of its sets and one of its labels, and what to look at.
    static func data(_ report: DataReport) -> String {
        report.tasks.map { data($0, limit: report.maxSequenceLength) }.joined(separator: "\n\n\n")
    }

    private static func data(_ report: TaskReport, limit: Int) -> String {
        let task = report.task
        var parts = ["\(task.name): \(task.kind.name)", sets(report, limit: limit)]
        let targets = targets(report)
        if targets.count > 1 {
            parts.append(layOut(targets, rightAligned: Set(1..<targets[0].count)))
        }
        parts.append(remarks(report).joined(separator: "\n"))
        return parts.joined(separator: "\n\n")
    }

    private static func sets(_ report: TaskReport, limit: Int) -> String {
        let measures = report.sets.contains { $0.lengths != nil }
        var rows = [["set", "rows", "duplicates", "conflicting", "also in train"]]
        if measures { rows[0] += ["tokens: median", "95 %", "longest", "cut at \(limit)"] }
        for set in report.sets {
            let duplicates = set.duplicates
            var row = [
                name(of: set, in: report), "\(set.rows)", count(duplicates.rows, of: set.rows),
                set.split == .test ? "" : count(duplicates.conflictingRows, of: set.rows),
                set.shared.map { count($0.rows, of: set.rows) } ?? "",
            ]
            if let lengths = set.lengths {
                row += [50, 95, 100].map { "\(lengths.percentile($0))" } + [count(lengths.cutRows, of: set.rows)]
            }
            rows.append(row)
        }
        return layOut(rows, rightAligned: Set(1..<rows[0].count))
    }

    /// A line a figure, a column a set with labels.
    private static func targets(_ report: TaskReport) -> [[String]] {
        let labelled = report.sets.filter { !$0.targets.isEmpty }
        guard let first = labelled.first else { return [] }
        var rows = [["label"] + labelled.map { name(of: $0, in: report) }]
        for figure in first.targets {
            let values = labelled.map { set in (set, set.targets.first { $0.name == figure.name }?.value) }
            guard case .labels(let labels) = figure.value else {
                rows.append([figure.name.replacingOccurrences(of: "_", with: " ")] + values.map { text($0.1) })
                continue
            }
            let frequent = labels.indices.sorted { (-labels[$0].rows, $0) < (-labels[$1].rows, $1) }.prefix(mostLabels)
            for index in labels.indices where frequent.contains(index) {
                rows.append(
                    [shown(labels[index].label)]
                        + values.map { set, value in
                            guard case .labels(let all) = value else { return "" }
                            return count(all[index].rows, of: set.rows)
                        })
            }
            if labels.count > mostLabels {
                rows.append(["and \(labels.count - mostLabels) rarer labels"] + values.map { _ in "" })
            }
        }
        return rows
    }

    /// What there is to look at, and the baselines.
    private static func remarks(_ report: TaskReport) -> [String] {
        var lines: [String] = []
        for set in report.sets {
            let name = name(of: set, in: report)
            if set.skippedRows > 0 { lines.append("\(name): rows left out, without a label or a column: \(set.skippedRows)") }
            let duplicates = set.duplicates
            lines += places("\(name): texts that stand in several rows: \(duplicates.texts)", duplicates.examples)
            lines += places(
                "\(name): of these, under different labels: \(duplicates.conflictingTexts)", duplicates.conflictExamples)
            if let shared = set.shared {
                lines += places("\(name): rows that also stand in train: \(shared.rows)", shared.examples)
            }
        }
        for name in report.missing { lines.append("test \(name): there is no file") }
        if report.sets.allSatisfy({ $0.duplicates.rows == 0 && $0.shared?.rows ?? 0 == 0 }) {
            lines.append("no duplicates, and no rows of train in another set")
        }
        for score in report.baselines {
            let figures = score.scores.entries.map { "\($0.metric.rawValue) \(number($0.value))" }
            let set = report.baselines.count > 1 ? "dev \(score.set)" : "dev"
            lines.append(
                "\(score.baseline.name) baseline (\(shown(score.baseline.prediction))) on \(set): "
                    + figures.joined(separator: "  "))
        }
        if report.sets.allSatisfy({ $0.lengths == nil }) {
            lines.append("lengths in tokens need --model_name_or_path or --tokenizer_name")
        }
        return lines
    }

    /// The first places of what a line tells.
    private static func places(_ text: String, _ examples: [[String]]) -> [String] {
        guard !examples.isEmpty else { return [] }
        return [text + ", such as"] + examples.map { "  " + $0.joined(separator: " and ") }
    }

    /// A set's split, with its name where a split has several sets.
    private static func name(of set: SetReport, in report: TaskReport) -> String {
        let isOnly = report.sets.count { $0.split == set.split } == 1
        let share = set.share.map { " (\(format(100 * $0, 0)) %)" } ?? ""
        return (isOnly ? set.split.rawValue : "\(set.split.rawValue) \(set.name)") + share
    }

    private static func count(_ count: Int, of all: Int) -> String {
        count == 0 ? "none" : "\(count) (\(percent(Double(count) / Double(all))))"
    }

    private static func text(_ value: TargetFigure.Value?) -> String {
        switch value {
        case .count(let count): "\(count)"
        case .number(let value): number(value)
        case .labels, nil: ""
        }
    }

    /// A label or a list of them, on one line of a table.
    private static func shown(_ label: String) -> String {
        let isPlain = label.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        let text = isPlain && !label.isEmpty ? label : JSONText.quoted(label)
        return text.count > 60 ? text.prefix(59) + "…" : text
    }
}
