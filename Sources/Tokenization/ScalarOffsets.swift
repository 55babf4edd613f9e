/// The two ways to count in a text: by bytes of its UTF-8, as camtl does, and by Unicode scalars, as Python does and
/// the files of question answering (SQuAD's `answer_start`).
///
/// A text whose bytes are not all UTF-8 has the scalars that it has when it is read as a `String`, with replacement
/// characters.
public enum ScalarOffsets {
    /// For each offset in bytes, the number of scalars that begin before it: its offset in scalars.
    ///
    /// - Parameters:
    ///   - offsets: in bytes, in any order. What lies outside the text has the offset of the text's nearer end. The
    ///     time taken is that of one pass over the text where they ascend, or are sorted in it.
    ///   - text: the text's UTF-8.
    public static func scalarOffsets(
        ofBytes offsets: some Collection<Int>, in text: UnsafeRawBufferPointer
    ) -> [Int] {
        var (byte, scalar) = (0, 0)
        return inOrder(offsets) { offset in
            while byte < offset, byte < text.count {
                byte += scalarLength(at: byte, in: text)
                scalar += 1
            }
            return scalar
        }
    }

    /// For each offset in scalars, that in bytes; nil for one that lies outside the text. The text's end does not.
    public static func byteOffsets(
        ofScalars offsets: some Collection<Int>, in text: UnsafeRawBufferPointer
    ) -> [Int?] {
        var (byte, scalar) = (0, 0)
        return inOrder(offsets) { offset in
            while scalar < offset, byte < text.count {
                byte += scalarLength(at: byte, in: text)
                scalar += 1
            }
            return scalar == offset ? byte : nil
        }
    }

    /// The results of `body`, which is called with the elements from the least to the greatest, in the elements' order.
    private static func inOrder<Result>(_ elements: some Collection<Int>, _ body: (Int) -> Result) -> [Result] {
        if zip(elements, elements.dropFirst()).allSatisfy({ $0 <= $1 }) { return elements.map(body) }
        let sorted = elements.enumerated().sorted { $0.element < $1.element }
        let results = sorted.map { (place: $0.offset, result: body($0.element)) }
        return results.sorted { $0.place < $1.place }.map(\.result)
    }

    /// The bytes of the scalar at a place, or of what becomes one replacement character.
    @inline(__always)
    private static func scalarLength(at position: Int, in text: UnsafeRawBufferPointer) -> Int {
        if text[position] < 0x80 { return 1 }
        if let (_, length) = decodeMultibyte(text, at: position) { return length }
        var parser = Unicode.UTF8.ForwardParser()
        var rest = text[position...].makeIterator()
        if case .error(let length) = parser.parseScalar(from: &rest) { return length }
        return 1
    }
}
