import Foundation

/// A word by its scalars, as Python compares texts; `String` takes those of another normal form for the same.
typealias AnswerWord = [Unicode.Scalar]

/// A text in lower case, without ASCII punctuation and without the words a, an and the, cut into words.
///
/// Source: `normalize_answer` of SQuAD's official evaluation.
func normalizedWords(_ text: String) -> [AnswerWord] {
    var words: [AnswerWord] = []
    var word: AnswerWord = []
    // An article is one between characters that are no letters and no digits, whatever else a word has.
    var run: AnswerWord = []
    func endRun() {
        if articles.contains(run) { endWord() } else { word += run }
        run = []
    }
    func endWord() {
        if !word.isEmpty { words.append(word) }
        word = []
    }
    for scalar in lowercased(text) where !punctuation.contains(scalar) {
        if scalar.isWordCharacter { run.append(scalar); continue }
        endRun()
        if scalar.isPythonSpace { endWord() } else { word.append(scalar) }
    }
    endRun()
    endWord()
    return words
}

private let punctuation = Set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".unicodeScalars)
private let articles = Set(["a", "an", "the"].map { Array($0.unicodeScalars) })

/// A text in lower case, as Python's `str.lower()` has it: a capital sigma that ends a word becomes a final one.
private func lowercased(_ text: String) -> [Unicode.Scalar] {
    let scalars = Array(text.unicodeScalars)
    func isCased(_ part: some Sequence<Unicode.Scalar>) -> Bool {
        part.first { !$0.properties.isCaseIgnorable }?.properties.isCased ?? false
    }
    return scalars.indices.flatMap { index -> [Unicode.Scalar] in
        if scalars[index] == "\u{3A3}", isCased(scalars[..<index].reversed()), !isCased(scalars[(index + 1)...]) {
            return ["\u{3C2}"]
        }
        return Array(scalars[index].properties.lowercaseMapping.unicodeScalars)
    }
}

extension Unicode.Scalar {
    /// As Python's `\w` has it.
    fileprivate var isWordCharacter: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber: true
        default: false
        }
    }

    /// As Python's `str.split()` has it.
    fileprivate var isPythonSpace: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }
}

/// 1 where both texts have the same words, else 0.
func exactMatch(_ predicted: String, _ right: String) -> Double {
    normalizedWords(predicted) == normalizedWords(right) ? 1 : 0
}

/// F1 of the words that two texts share, each as often as both have it; where either has none, 1 if both have none.
///
/// Source: `compute_f1` of SQuAD 2's official evaluation.
func textF1(_ predicted: String, _ right: String) -> Double {
    let (predicted, right) = (normalizedWords(predicted), normalizedWords(right))
    if predicted.isEmpty || right.isEmpty { return predicted == right ? 1 : 0 }
    var rest = Dictionary(right.map { ($0, 1) }, uniquingKeysWith: +)
    var shared = 0
    for word in predicted where rest[word, default: 0] > 0 {
        rest[word, default: 0] -= 1
        shared += 1
    }
    return 2 * Double(shared) / Double(predicted.count + right.count)
}

/// The highest exact match and F1 of a prediction with any of a row's answers; those without a word don't count, and where
/// none is left, no answer is right.
///
/// Source: `get_raw_scores` of SQuAD 2's official evaluation.
func answerScores(_ predicted: String, answers: [String]) -> (exactMatch: Double, f1: Double) {
    let answers = answers.filter { !normalizedWords($0).isEmpty }
    let right = answers.isEmpty ? [""] : answers
    return (right.map { exactMatch(predicted, $0) }.max() ?? 0, right.map { textF1(predicted, $0) }.max() ?? 0)
}
