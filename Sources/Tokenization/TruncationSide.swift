/// The end of a text that tokens are cut from when there are too many: transformers' `truncation_side`.
public enum TruncationSide: String, Sendable, Equatable, CaseIterable {
    /// The first tokens are lost (`left`).
    case start
    /// The last tokens are lost (`right`), as BERT's are.
    case end

    /// The `count` tokens that are kept of a text's.
    func kept<IDs: BidirectionalCollection>(_ count: Int, of ids: IDs) -> IDs.SubSequence {
        self == .end ? ids.prefix(count) : ids.suffix(count)
    }
}
