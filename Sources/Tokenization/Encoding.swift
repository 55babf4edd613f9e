/// A text, or a pair of texts, as a BERT model reads it: `[CLS] a [SEP]` or `[CLS] a [SEP] b [SEP]`, without padding.
public struct Encoding: Sendable, Equatable {
    /// The ids of the tokens, special ones included.
    public var inputIDs: [Int32]
    /// For each token 0, or 1 from the second text on.
    public var tokenTypeIDs: [Int32]

    /// How many of the tokens have type 0.
    public var firstSegmentLength: Int { tokenTypeIDs.firstIndex(of: 1) ?? tokenTypeIDs.count }

    public init(inputIDs: [Int32], tokenTypeIDs: [Int32]) {
        self.inputIDs = inputIDs
        self.tokenTypeIDs = tokenTypeIDs
    }
}
