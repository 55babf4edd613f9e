/// The ids of BERT's special tokens.
struct SpecialTokens: Sendable {
    static let unknownText = "[UNK]"
    static let separatorText = "[SEP]"
    static let paddingText = "[PAD]"
    static let classificationText = "[CLS]"
    static let maskText = "[MASK]"

    let unknown: Int32
    let separator: Int32
    let padding: Int32
    let classification: Int32
    /// Only pretraining needs it: nil when the vocabulary has none.
    let mask: Int32?

    /// Throws `TokenizationError.missingSpecialTokens` when the vocabulary lacks one other than the mask.
    init(in vocabulary: Vocabulary) throws {
        let required = [Self.unknownText, Self.separatorText, Self.paddingText, Self.classificationText]
        let ids = required.compactMap { vocabulary.id(of: $0) }
        guard ids.count == required.count else {
            throw TokenizationError.missingSpecialTokens(required.filter { vocabulary.id(of: $0) == nil })
        }
        (unknown, separator, padding, classification) = (ids[0], ids[1], ids[2], ids[3])
        mask = vocabulary.id(of: Self.maskText)
    }

    func contains(_ id: Int32) -> Bool {
        id == unknown || id == separator || id == padding || id == classification || id == mask
    }
}
