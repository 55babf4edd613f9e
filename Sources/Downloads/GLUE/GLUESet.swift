/// A data set of GLUE: where its publishers have it, and the files that it becomes.
public struct GLUESet: Sendable, Equatable {
    /// A file of the official layout.
    public struct File: Sendable, Equatable {
        /// Its place in the data folder.
        public let path: String
        /// How many examples the published file has.
        public let rows: Int
        /// Whether its first line names the columns.
        let hasHeader: Bool
        /// The columns that a row needs to count, where the published file has damaged rows that no one counts.
        let columns: Int?
    }

    /// Where a set comes from; paths are relative to the publishers' address.
    enum Source: Sendable, Equatable {
        /// A zip archive with the set's folder.
        case archive(String)
        /// One file that is laid out as it is.
        case file(String)
        /// Microsoft's paraphrase corpus, which GLUE divides by a list of pairs of its own.
        case paraphrases(train: String, test: String, devPairs: String)
    }

    /// As in `--tasks`, such as `sst-2`.
    public let name: String
    /// The name that GLUE's own download script has for it, such as `SST`.
    public let scriptName: String
    /// Where it comes from.
    let source: Source
    /// Its folder in the data folder.
    let folder: String
    /// The files that training, evaluation and prediction read.
    public let files: [File]

    init(
        _ name: String, _ scriptName: String, _ source: Source, folder: String, headerless: Set<String> = [],
        columns: [String: Int] = [:], _ rows: KeyValuePairs<String, Int>
    ) {
        self.name = name
        self.scriptName = scriptName
        self.source = source
        self.folder = folder
        files = rows.map { file, count in
            File(
                path: "\(folder)/\(file)", rows: count, hasHeader: !headerless.contains(file), columns: columns[file])
        }
    }

    /// The address of the publishers.
    public static let publishers = "https://dl.fbaipublicfiles.com"

    /// All ten sets. In the script that GLUE publishes QQP's address is STS-B's and the other way round; here they are
    /// right. The list of MRPC's dev pairs, which that script takes from a place of its authors, lies with the others.
    public static let all: [GLUESet] = [
        GLUESet(
            "cola", "CoLA", .archive("glue/data/CoLA.zip"), folder: "CoLA", headerless: ["train.tsv", "dev.tsv"],
            ["train.tsv": 8_551, "dev.tsv": 1_043, "test.tsv": 1_063]),
        GLUESet(
            "mnli", "MNLI", .archive("glue/data/MNLI.zip"), folder: "MNLI",
            [
                "train.tsv": 392_702, "dev_matched.tsv": 9_815, "dev_mismatched.tsv": 9_832,
                "test_matched.tsv": 9_796, "test_mismatched.tsv": 9_847,
            ]),
        GLUESet(
            "rte", "RTE", .archive("glue/data/RTE.zip"), folder: "RTE",
            ["train.tsv": 2_490, "dev.tsv": 277, "test.tsv": 3_000]),
        GLUESet(
            "wnli", "WNLI", .archive("glue/data/WNLI.zip"), folder: "WNLI",
            ["train.tsv": 635, "dev.tsv": 71, "test.tsv": 146]),
        GLUESet(
            "qqp", "QQP", .archive("glue/data/QQP-clean.zip"), folder: "QQP", columns: ["train.tsv": 6, "dev.tsv": 6],
            ["train.tsv": 363_846, "dev.tsv": 40_430, "test.tsv": 390_965]),
        GLUESet(
            "sts-b", "STS", .archive("glue/data/STS-B.zip"), folder: "STS-B",
            ["train.tsv": 5_749, "dev.tsv": 1_500, "test.tsv": 1_379]),
        GLUESet(
            "sst-2", "SST", .archive("glue/data/SST-2.zip"), folder: "SST-2",
            ["train.tsv": 67_349, "dev.tsv": 872, "test.tsv": 1_821]),
        GLUESet(
            "qnli", "QNLI", .archive("glue/data/QNLIv2.zip"), folder: "QNLI",
            ["train.tsv": 104_743, "dev.tsv": 5_463, "test.tsv": 5_463]),
        GLUESet(
            "mrpc", "MRPC",
            .paraphrases(
                train: "senteval/senteval_data/msr_paraphrase_train.txt",
                test: "senteval/senteval_data/msr_paraphrase_test.txt", devPairs: "glue/data/mrpc_dev_ids.tsv"),
            folder: "MRPC", ["train.tsv": 3_668, "dev.tsv": 408, "test.tsv": 1_725]),
        GLUESet(
            "ax", "diagnostic", .file("glue/data/AX.tsv"), folder: "diagnostic", ["diagnostic.tsv": 1_104]),
    ]

    /// The sets of that names, by either of their names; all for none, and for `all`.
    ///
    /// - Throws: ``GLUEError/unknownSet(_:)``.
    public static func named(_ names: [String]) throws -> [GLUESet] {
        if names.isEmpty || names.contains(where: { $0.lowercased() == "all" }) { return all }
        let wanted = try names.map { name in
            let lower = name.lowercased()
            let found = all.first { [$0.name, $0.scriptName.lowercased(), $0.folder.lowercased()].contains(lower) }
            guard let found else { throw GLUEError.unknownSet(name) }
            return found.name
        }
        return all.filter { wanted.contains($0.name) }
    }
}

/// What can be wrong with GLUE's data.
public enum GLUEError: Error, Equatable, CustomStringConvertible {
    /// GLUE has no set of that name.
    case unknownSet(String)
    /// An address that no file can lie under.
    case badAddress(String)
    /// What was fetched is not the set's archive or file.
    case notTheSet(url: String, reason: String)
    /// A line of a file is not as it should be; lines are counted from 1.
    case malformedLine(path: String, line: Int, reason: String)
    /// Files that the publishers' archives should have had, and had not.
    case missingFiles([String])

    public var description: String {
        switch self {
        case .unknownSet(let name):
            "\(name.debugDescription) is no set of GLUE; they are \(GLUESet.all.map(\.name).joined(separator: ", "))."
        case .badAddress(let address):
            "\(address.debugDescription) is no address to fetch from; it has to be one such as \(GLUESet.publishers)."
        case .notTheSet(let url, let reason):
            "\(url): this is not what GLUE's publishers have there: \(reason). Nothing of it was laid out; check the "
                + "address, and try again."
        case .malformedLine(let path, let line, let reason): "\(path):\(line): \(reason)."
        case .missingFiles(let paths): "what was fetched lacks \(paths.joined(separator: ", "))."
        }
    }
}
