extension GLUE {
    /// A file of a submission to GLUE's server: the predictions of one test set.
    public struct SubmissionFile: Sendable, Hashable {
        /// The file's name, such as `MNLI-m.tsv`.
        public let name: String
        /// The test set's name, such as `mnli`.
        public let set: String
        /// The task whose decoder predicts it.
        public let task: String
        /// The rows of the official test set.
        public let rows: Int

        /// The file's name without its ending.
        public var stem: String { String(name.dropLast(4)) }
    }

    /// The files of a complete submission.
    ///
    /// Source: the sample submission and the test sets of gluebenchmark.com.
    public static let submissionFiles = [
        SubmissionFile(name: "CoLA.tsv", set: "cola", task: "cola", rows: 1_063),
        SubmissionFile(name: "SST-2.tsv", set: "sst-2", task: "sst-2", rows: 1_821),
        SubmissionFile(name: "MRPC.tsv", set: "mrpc", task: "mrpc", rows: 1_725),
        SubmissionFile(name: "STS-B.tsv", set: "sts-b", task: "sts-b", rows: 1_379),
        SubmissionFile(name: "QQP.tsv", set: "qqp", task: "qqp", rows: 390_965),
        SubmissionFile(name: "MNLI-m.tsv", set: "mnli", task: "mnli", rows: 9_796),
        SubmissionFile(name: "MNLI-mm.tsv", set: "mnli-mm", task: "mnli", rows: 9_847),
        SubmissionFile(name: "QNLI.tsv", set: "qnli", task: "qnli", rows: 5_463),
        SubmissionFile(name: "RTE.tsv", set: "rte", task: "rte", rows: 3_000),
        SubmissionFile(name: "WNLI.tsv", set: "wnli", task: "wnli", rows: 146),
        SubmissionFile(name: "AX.tsv", set: "ax", task: "mnli", rows: 1_104),
    ]
}
