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
    /// Only pretraining needs it: nil when the vocabulary has none, or the tokenizer does not look for it.
    let mask: Int32?
    /// Whether their texts stand for them in the encoder's own pass over a text.
    var areFoundInText = true

    /// The texts of those that no model can do without.
    static let required = [unknownText, separatorText, paddingText, classificationText]

    static let all = required + [maskText]

    /// Throws `TokenizationError.missingSpecialTokens` when the vocabulary lacks one other than the mask.
    init(in vocabulary: Vocabulary, hasMask: Bool) throws {
        let required = Self.required
        let ids = required.compactMap { vocabulary.id(of: $0) }
        guard ids.count == required.count else {
            throw TokenizationError.missingSpecialTokens(required.filter { vocabulary.id(of: $0) == nil })
        }
        (unknown, separator, padding, classification) = (ids[0], ids[1], ids[2], ids[3])
        mask = hasMask ? vocabulary.id(of: Self.maskText) : nil
    }

    /// Their ids by their texts.
    var texts: [String: Int32] {
        var texts = [
            Self.unknownText: unknown, Self.separatorText: separator, Self.paddingText: padding,
            Self.classificationText: classification,
        ]
        texts[Self.maskText] = mask
        return texts
    }

    func contains(_ id: Int32) -> Bool {
        areFoundInText && (id == unknown || id == separator || id == padding || id == classification || id == mask)
    }
}
