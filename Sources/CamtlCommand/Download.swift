import ArgumentParser
import Downloads
import Foundation

struct Download: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "download",
        abstract: "Fetch GLUE's data and lay it out as training reads it.",
        discussion: """
            The files come from GLUE's publishers. Files that are there are left as they are, and a download that \
            broke off goes on where it was. Each corpus has terms of its own; see https://gluebenchmark.com.
            """)

    @Option(name: .customLong("data_dir"), help: "The folder to lay the data out in.")
    var dataDir: String

    @Option(
        name: .customLong("tasks"), parsing: .upToNextOption,
        help: "The sets, by camtl's names or those of GLUE's own script. (default: all ten, ax is the diagnostic set)")
    var tasks: [String] = []

    @Option(name: .customLong("base_url"), help: "The address that the publishers' folders lie under.")
    var baseURL = GLUESet.publishers

    func run() throws {
        let sets = try GLUESet.named(tasks.flatMap { $0.split(separator: ",").map(String.init) })
        let renderer = DownloadRenderer()
        let download = try GLUEDownload(
            to: URL(fileURLWithPath: dataDir), from: baseURL, report: renderer.render)
        let reports = try download.run(sets)
        let table = Result { try writeToStandardOutput("\(Tables.download(reports))\n".utf8) }
        let missing = reports.filter { $0.rows == nil }.map(\.file.path)
        if !missing.isEmpty { throw GLUEError.missingFiles(missing) }
        try endingQuietly(table.get)
    }
}
