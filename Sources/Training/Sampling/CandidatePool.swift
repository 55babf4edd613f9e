import CAMTL
import Tasks
import Torch

/// Candidates of which the model is to pick a batch, as it takes them.
struct CandidatePool: Sendable {
    /// In the order in which they were drawn.
    let examples: [ExampleReference]
    /// What is known of each beside its tokens.
    let marks: [ExampleMarks]
    /// All of them, in pieces of about one length; of these the process's share.
    let pieces: [Piece]

    struct Piece: Sendable {
        /// The places of its sequences among the examples.
        let positions: [Int]
        let tokens: PackedBatch
    }

    /// - Parameters:
    ///   - examples: the candidates.
    ///   - data: the training sets they are from.
    ///   - pieceSize: the sequences that a piece at least has.
    ///   - pieceTokens: the tokens up to which it has more.
    ///   - share: whose pieces are made ready.
    init(
        _ examples: [ExampleReference], data: TrainingSets, pieceSize: Int,
        pieceTokens: Int = PackedBatch.pieceTokens(on: .cpu),
        share: Share = .whole
    ) {
        self.examples = examples
        marks = examples.map { data.features(of: $0.task).marks(at: $0.index) }
        let all = piecesByLength(examples.map(data.length), atLeast: pieceSize, tokens: pieceTokens)
        let own = share.own(all.map { $0.map { data.length(examples[$0]) }.reduce(0, +) })
        pieces = own.map { all[$0] }.map { positions in
            var tokens = PackedBatch()
            for example in positions.map({ examples[$0] }) {
                tokens.append(data.features(of: example.task), at: example.index, taskID: example.task)
            }
            return Piece(positions: positions, tokens: tokens)
        }
    }
}
