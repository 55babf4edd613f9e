/// What stands in a file's place now and then, and is not its content: a reader that knows its own format by its first
/// bytes asks here when those are others, so that the message can say what to do.
public enum MisplacedContent: Sendable, Equatable, CustomStringConvertible {
    /// The three lines that a clone without Git LFS leaves in place of a large file.
    case gitLFSPointer
    /// A web page, as a server gives it in place of a file: of an error, or to sign in.
    case webPage
    /// Text in a Unicode encoding of 16 or 32 bits a unit.
    case wideText(String)

    /// Looks at a file's first bytes; nil if they are none of these.
    public init?(_ bytes: some Collection<UInt8>) {
        let head = Array(bytes.prefix(512))
        if head.starts(with: "version https://git-lfs.github.com/spec/".utf8) {
            self = .gitLFSPointer
        } else if MisplacedContent.isWebPage(head) {
            self = .webPage
        } else if let encoding = MisplacedContent.wideEncoding(of: head) {
            self = .wideText(encoding)
        } else {
            return nil
        }
    }

    /// What the file is, and what to do about it, without a full stop.
    public var description: String {
        switch self {
        case .gitLFSPointer:
            "this is a Git LFS pointer in place of the file: fetch the file itself with `git lfs pull`"
        case .webPage:
            "this is an HTML page in place of the file, as a server sends it instead of a download: download the file "
                + "again"
        case .wideText(let encoding):
            "this is \(encoding) text: convert the file to UTF-8"
        }
    }

    private static func isWebPage(_ head: [UInt8]) -> Bool {
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = head.dropFirst(head.starts(with: byteOrderMark) ? 3 : 0)
            .drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
        let beginning = String(decoding: text.prefix(14), as: UTF8.self).lowercased()
        return ["<!doctype html", "<html", "<head>", "<body"].contains(where: beginning.hasPrefix)
    }

    /// By its byte order mark or, as ASCII's characters have bytes of 0 beside them there, without one.
    private static func wideEncoding(of head: [UInt8]) -> String? {
        let marks: [([UInt8], String)] = [
            ([0xFF, 0xFE, 0, 0], "UTF-32"), ([0, 0, 0xFE, 0xFF], "UTF-32"), ([0xFF, 0xFE], "UTF-16"),
            ([0xFE, 0xFF], "UTF-16"),
        ]
        if let mark = marks.first(where: { head.starts(with: $0.0) }) { return mark.1 }
        guard head.count >= 4 else { return nil }
        let letters = head.prefix(8)
        for parity in 0...1 where letters.indices.allSatisfy({ (letters[$0] == 0) == ($0 % 2 == parity) }) {
            return "UTF-16"
        }
        return nil
    }
}
