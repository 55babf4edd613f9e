extension String {
    /// The parts of a path, as the system divides it: at each byte `/`, empty parts included.
    ///
    /// Division at the character `/` would leave a `/` with a combining mark after it in its part, as Swift takes the
    /// two for one character.
    public var pathParts: [String] {
        unicodeScalars.split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
    }

    /// Whether the path is made of names alone, such that it stays in the folder that it is taken from: it is
    /// relative, has no part that is empty, `.`, `..` or longer than a file system takes, and no byte that could mean
    /// something to any system (`\`, `:`, controls).
    public var isPlainPath: Bool {
        pathParts.allSatisfy { !["", ".", ".."].contains($0) && $0.utf8.count <= 255 }
            && unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && $0 != "\\" && $0 != ":" }
    }
}
