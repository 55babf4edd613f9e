import Downloads
import Foundation

/// Shows a download on standard error: a bar on a terminal, plain lines elsewhere.
final class DownloadRenderer {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var hasBar = false
    private var start = ContinuousClock.now
    private var present = 0
    /// The tenth of the file that was told last.
    private var tenth = 0

    func render(_ event: DownloadEvent) {
        switch event {
        case .started(let file, let present, let size):
            (self.present, start) = (present, .now)
            tenth = size.map { $0 == 0 ? 0 : Int(10 * Double(present) / Double($0)) } ?? 0
            let rest = present == 0 ? "" : ", of which \(bytes(present)) are there"
            if !isTerminal { line("downloading \(file)\(size.map { " (\(bytes($0))\(rest))" } ?? "")") }
        case .progressed(let file, let received, let size): show(file, received, size)
        case .retrying(let file, let reason, let delay):
            line("\(file): \(reason); trying again in \(format(delay, 1)) s")
        case .finished(let file, let size): line("\(file): \(bytes(size))")
        case .waiting(let file): line("\(file): waiting for another process that is downloading it")
        case .note(let text): line(text)
        }
    }

    private func show(_ file: String, _ received: Int, _ size: Int?) {
        let seconds = Double((ContinuousClock.now - start) / .milliseconds(1)) / 1000
        let rate = seconds > 0 ? "  \(bytes(Int(Double(max(received - present, 0)) / seconds)))/s" : ""
        guard let size, size > 0 else {
            if isTerminal { bar("\(file)  \(bytes(received))\(rate)") }
            return
        }
        let share = min(1, Double(received) / Double(size))
        let text = "\(file)  \(bytes(received)) of \(bytes(size))\(rate)"
        if isTerminal {
            let full = Int(share * 20)
            bar(String(repeating: "█", count: full) + String(repeating: "░", count: 20 - full) + " " + text)
        } else if size > 50_000_000, Int(share * 10) > tenth {
            tenth = Int(share * 10)
            line(text)
        }
    }

    private func line(_ text: String) {
        let clear = hasBar ? "\r\u{1B}[K" : ""
        hasBar = false
        writeToStandardError(clear + text + "\n")
    }

    private func bar(_ text: String) {
        writeToStandardError("\r\u{1B}[K\(text)")
        hasBar = true
    }
}

/// A number of bytes in decimal units.
private func bytes(_ count: Int) -> String {
    var (value, unit) = (Double(count), "B")
    for larger in ["kB", "MB", "GB", "TB"] where value >= 1000 { (value, unit) = (value / 1000, larger) }
    return unit == "B" ? "\(count) B" : "\(format(value, 1)) \(unit)"
}
