import Foundation

/// A text in lower case, without ASCII punctuation and without the words a, an and the, cut into words.
///
/// Source: `normalize_answer` of SQuAD's official evaluation.
func normalizedWords(_ text: String) -> [String] {
    let punctuation = Set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".unicodeScalars)
    var words: [String] = []
    var word = String.UnicodeScalarView()
    // An article is one between characters that are no letters and no digits, whatever else a word has.
    var run = String.UnicodeScalarView()
    func endRun() {
        if !["a", "an", "the"].contains(String(run)) {
            word.append(contentsOf: run)
        } else {
            endWord()
        }
        run = String.UnicodeScalarView()
    }
    func endWord() {
        if !word.isEmpty { words.append(String(word)) }
        word = String.UnicodeScalarView()
    }
    for scalar in text.lowercased().unicodeScalars where !punctuation.contains(scalar) {
        if scalar.isWordCharacter { run.append(scalar); continue }
        endRun()
        if scalar.isPythonSpace { endWord() } else { word.append(scalar) }
    }
    endRun()
    endWord()
    return words
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
    normalizedWords(predicted).joined(separator: " ") == normalizedWords(right).joined(separator: " ") ? 1 : 0
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
