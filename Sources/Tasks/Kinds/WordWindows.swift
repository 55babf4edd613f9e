import Tokenization

/// A part of a text's words as one sequence.
struct WordWindow {
    let encoding: Encoding
    /// Of each token the number of the word that begins with it, where that is one of the window's own; -1 of others.
    let words: [Int32]
    let isContinuation: Bool
}

extension ExampleEncoder {
    /// The words of a field: its list, or those that the tokenizer cuts the text into.
    func words(of field: FieldTexts) -> [FieldBytes] {
        if field.isList { return field.values }
        let text = field.values[0]
        let pieces = tokenizer.tokenize(utf8: UnsafeRawBufferPointer(rebasing: text))
        var words: [FieldBytes] = []
        for index in 0..<pieces.count {
            let bytes = pieces.bytes(of: index)
            let (start, end) = (text.startIndex + bytes.lowerBound, text.startIndex + bytes.upperBound)
            if index > 0, pieces.words[index] == pieces.words[index - 1] {
                words[words.count - 1] = text.base[words[words.count - 1].startIndex..<end]
            } else {
                words.append(text.base[start..<end])
            }
        }
        return words
    }

    /// Words as sequences that the model takes: one, or several where they have too many pieces, each of which begins
    /// with words that the one before it has, too. A word that both have is of the one where it stands further from the
    /// edge. A word of which nothing is left becomes the unknown token, so that it has a place; of one with more pieces
    /// than a sequence can have, the first ones stay.
    ///
    /// - Parameter overlap: the tokens that two windows share, at most; nil is a quarter of a sequence's room, and more
    ///   than half of it is half.
    func windows(ofWords words: [FieldBytes], overlap most: Int? = nil) -> [WordWindow] {
        let room = max(1, maxSequenceLength - 2)
        let pieces = words.map { word in
            Array(tokenizer.pieces(of: UnsafeRawBufferPointer(rebasing: word)).prefix(room))
        }
        var ranges: [Range<Int>] = []
        var start = 0
        while true {
            var (end, size) = (start, 0)
            while end < pieces.count, size + pieces[end].count <= room {
                size += pieces[end].count
                end += 1
            }
            ranges.append(start..<end)
            if end == pieces.count { break }
            // Each window has a word that the one before it lacks, so that some are its own.
            let shared = min(most ?? room / 4, room / 2, room - pieces[end].count)
            var overlap = 0
            start = end
            while start > ranges[ranges.count - 1].lowerBound + 1, overlap + pieces[start - 1].count <= shared {
                start -= 1
                overlap += pieces[start].count
            }
        }
        return ranges.indices.map { index in
            let range = ranges[index]
            let first = index == 0 ? 0 : (range.lowerBound + ranges[index - 1].upperBound) / 2
            let end = index == ranges.count - 1 ? words.count : (ranges[index + 1].lowerBound + range.upperBound) / 2
            var (ids, numbers): ([Int32], [Int32]) = ([], [-1])
            for word in range {
                ids += pieces[word]
                numbers.append((first..<end).contains(word) ? Int32(word) : -1)
                numbers += repeatElement(-1, count: pieces[word].count - 1)
            }
            return WordWindow(
                encoding: tokenizer.sequence(of: ids), words: numbers + [-1], isContinuation: index > 0)
        }
    }
}

extension WordPieceTokenizer {
    /// The ids of a word's pieces, at least one.
    fileprivate func pieces(of word: UnsafeRawBufferPointer) -> ArraySlice<Int32> {
        let ids = encode(utf8: word).inputIDs.dropFirst().dropLast()
        return ids.isEmpty ? [unknownID] : ids
    }
}
