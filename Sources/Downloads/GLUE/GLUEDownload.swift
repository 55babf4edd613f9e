import Files
import Foundation

/// How a file of GLUE is after a download.
public struct GLUEFileReport: Sendable, Equatable {
    /// The set's name.
    public let set: String
    /// The file, as GLUE has it.
    public let file: GLUESet.File
    /// How many examples it has; nil if the file is missing.
    public let rows: Int?

    /// Whether it has as many as the published file.
    public var isComplete: Bool { rows == file.rows }
}

/// Fetches GLUE and lays it out as its own script does.
///
/// A file that is there is never touched. What broke off goes on where it was, from the folder `.camtl-download` in the
/// data folder, which is removed when all is done.
public struct GLUEDownload {
    private let folder: URL
    private let publishers: String
    /// The most bytes that a file of the publishers' may have. The largest one, MNLI's archive, has 0.3 GB.
    private static let longestFile = 4 << 30
    private let client: HTTPClient
    private let report: (DownloadEvent) -> Void

    private var staging: URL { folder.appendingPathComponent(".camtl-download") }

    /// A download that has yet to be run.
    ///
    /// - Parameters:
    ///   - folder: The data folder; it need not exist.
    ///   - publishers: The address under which the files lie in the publishers' folders.
    ///   - report: Is told what goes on, on the caller's thread.
    /// - Throws: ``GLUEError/badAddress(_:)``.
    public init(
        to folder: URL, from publishers: String = GLUESet.publishers, report: @escaping (DownloadEvent) -> Void
    ) throws {
        try self.init(to: folder, from: publishers, client: HTTPClient(), report: report)
    }

    init(
        to folder: URL, from publishers: String, client: HTTPClient, report: @escaping (DownloadEvent) -> Void
    ) throws {
        guard let url = URL(string: publishers), ["http", "https"].contains(url.scheme?.lowercased()),
            url.host?.isEmpty == false, url.query == nil
        else { throw GLUEError.badAddress(publishers) }
        self.folder = folder
        self.client = client
        self.publishers = String(publishers.reversed().drop { $0 == "/" }.reversed())
        self.report = report
    }

    /// Fetches what is missing of the sets, and counts the examples of all their files.
    ///
    /// - Throws: ``GLUEError``; ``DownloadError``; `FileWriteError`.
    public func run(_ sets: [GLUESet]) throws -> [GLUEFileReport] {
        let wanted = sets.filter { set in !set.files.allSatisfy { exists($0.path) } }
        if !wanted.isEmpty {
            let lockFile = staging.appendingPathComponent("lock")
            let lock = try FileLock(lockFile) { report(.waiting(file: folder.path)) }
            try withExtendedLifetime(lock) {
                for set in wanted {
                    // What a process left that was killed while it unpacked; none but the lock's owner does.
                    removeUnfinished(in: folder.appendingPathComponent(set.folder))
                    try fetch(set)
                }
                unlink(lockFile.path)
                rmdir(staging.path)
            }
        }
        return try sets.flatMap { set in
            try set.files.map { file in
                let rows = exists(file.path) ? try file.actualRows(in: folder) : nil
                return GLUEFileReport(set: set.name, file: file, rows: rows)
            }
        }
    }

    private func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: folder.appendingPathComponent(path).path)
    }

    private func fetch(_ set: GLUESet) throws {
        // Another process may have brought it while this one waited for the lock.
        if set.files.allSatisfy({ exists($0.path) }) { return }
        let place = folder.appendingPathComponent(set.folder)
        switch set.source {
        case .archive(let path):
            let (url, archive) = try stage(path)
            defer { unlink(archive.path) }
            try unpack(archive, from: url, set)
        case .file(let path):
            let (url, staged) = try stage(path)
            defer { unlink(staged.path) }
            try checkTable(staged, from: url)
            try makeFolder(place)
            try move(staged, to: folder.appendingPathComponent(set.files[0].path))
        case .paraphrases(let train, let test, let devPairs):
            try makeFolder(place)
            func source(_ path: String, _ name: String) throws -> URL {
                let url = place.appendingPathComponent(name)
                if !FileManager.default.fileExists(atPath: url.path) { try move(stage(path).file, to: url) }
                return url
            }
            try ParaphraseCorpus(
                train: source(train, "msr_paraphrase_train.txt"), test: source(test, "msr_paraphrase_test.txt"),
                devPairs: source(devPairs, "dev_ids.tsv")
            ).write(to: place)
        }
    }

    /// Fetches a file of the publishers' into the staging folder.
    private func stage(_ path: String) throws -> (url: URL, file: URL) {
        guard let url = URL(string: publishers + "/" + path) else { throw GLUEError.badAddress(publishers) }
        let name = url.lastPathComponent
        let head = try client.retrying(name, url: url, report: report) {
            let response = try client.answer(to: HTTPRequest(method: "HEAD", url: url))
            try response.check()
            return response
        }
        // A part of a file is only of use for that version of it.
        let version = head["etag"] ?? head["last-modified"]
        let mark = version.map { SHA256(Array($0.utf8)).hexadecimal.prefix(16) } ?? "unversioned"
        let staged = staging.appendingPathComponent("\(name).\(mark).incomplete")
        if version == nil { unlink(staged.path) }
        let validator = head["etag"].flatMap { $0.hasPrefix("W/") ? nil : $0 }
        let file = RemoteFile(
            name: name, url: url, size: head.contentLength, limit: GLUEDownload.longestFile, validator: validator)
        try FileDownload(client: client, report: report).fetch(file, to: staged.path)
        return (url, staged)
    }

    private func move(_ file: URL, to place: URL) throws {
        guard rename(file.path, place.path) == 0 else {
            throw FileWriteError(path: place.path, reason: .system(errno))
        }
    }

    /// Writes the files of the set's folder, but none that is there.
    private func unpack(_ archive: URL, from url: URL, _ set: GLUESet) throws {
        func fail(_ reason: String) -> GLUEError { .notTheSet(url: url.withoutQuery, reason: reason) }
        let file = try MappedFile(path: archive.path)
        try file.withBytes { bytes in
            if let misplaced = MisplacedContent(bytes) { throw fail("\(misplaced)") }
            do {
                let members = try ZipArchive(bytes).files().filter { isWanted($0.path, of: set) }
                guard members.contains(where: { member in set.files.contains { $0.path == member.path } }) else {
                    throw fail("the archive has no \(set.files.map(\.path).joined(separator: ", "))")
                }
                let missing = members.filter { !exists($0.path) }
                try checkSpace(for: missing.map(\.size).reduce(0, +), at: folder.path)
                for member in missing {
                    let place = folder.appendingPathComponent(member.path)
                    try makeFolder(place.deletingLastPathComponent())
                    try writeAtomically(to: place) { sink in
                        try member.read(from: bytes) { try sink.write($0) }
                    }
                }
            } catch let problem as ZipProblem {
                throw fail("its zip archive is not as it should be: \(problem)")
            }
        }
    }

    /// A file of the set's folder, but for what a Mac leaves in archives.
    private func isWanted(_ path: String, of set: GLUESet) -> Bool {
        let parts = path.pathParts
        guard parts.count > 1, parts[0] == set.folder, let name = parts.last else { return false }
        return name != ".DS_Store" && !name.utf8.starts(with: "._".utf8)
    }

    /// A server may well answer with a page of its own.
    private func checkTable(_ file: URL, from url: URL) throws {
        let header = try MappedFile(path: file.path).withBytes { bytes in
            String(decoding: bytes.prefix(bytes.index(of: UInt8(ascii: "\n"), from: 0, to: bytes.count)), as: UTF8.self)
        }
        guard header.split(separator: "\t").contains("sentence1") else {
            throw GLUEError.notTheSet(url: url.withoutQuery, reason: "its first line is not a header of columns")
        }
    }
}
