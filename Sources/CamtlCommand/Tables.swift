import Downloads
import Foundation
import Tasks
import Training

/// Tables for people to read.
enum Tables {
    static func evaluation(_ report: EvaluationReport) -> String {
        var rows = [["task", "examples", "loss", "metrics", "score"]]
        for result in report.results {
            let metrics = result.scores.entries.map { "\($0.metric.rawValue) \(number($0.value))" }
            rows.append(
                [
                    result.name, "\(result.count)", number(result.loss), metrics.joined(separator: "  "),
                    number(result.scores.taskScore),
                ])
        }
        rows.append(["average", "", "", "σ over tasks \(number(report.deviation))", number(report.average)])
        return layOut(rows, rightAligned: [1, 2, 4])
    }

    static func usage(_ usage: ExampleUsage) -> String {
        var rows = [["task", "examples", "used", "share", "in updates"]]
        for task in usage.ordered {
            rows.append(
                [task.name, "\(task.available)", "\(task.used)", percent(task.share), "\(task.updates)"])
        }
        let all = usage.ordered
        rows.append(
            [
                "all", "\(all.map(\.available).reduce(0, +))", "\(all.map(\.used).reduce(0, +))",
                percent(usage.share), "\(all.map(\.updates).reduce(0, +))",
            ])
        return layOut(rows, rightAligned: [1, 2, 3, 4])
    }

    static func download(_ reports: [GLUEFileReport]) -> String {
        var rows = [["set", "file", "examples", "GLUE's", ""]]
        for report in reports {
            let found = report.rows.map(String.init) ?? "–"
            let remark = report.isComplete ? "" : report.rows == nil ? "missing" : "differs"
            rows.append([report.set, report.file.path, found, "\(report.file.rows)", remark])
        }
        return layOut(rows, rightAligned: [2, 3])
    }

    static func number(_ value: Double) -> String { value.isNaN ? "nan" : format(value, 4) }

    static func layOut(_ rows: [[String]], rightAligned: Set<Int>) -> String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        func text(_ row: [String]) -> String {
            let cells = row.enumerated().map { column, cell in
                let gap = String(repeating: " ", count: widths[column] - cell.count)
                return rightAligned.contains(column) ? gap + cell : cell + gap
            }
            return cells.joined(separator: "  ")
        }
        let rule = String(repeating: "─", count: widths.reduce(0, +) + 2 * (widths.count - 1))
        return ([text(rows[0]), rule] + rows.dropFirst().map(text)).joined(separator: "\n")
    }
}
