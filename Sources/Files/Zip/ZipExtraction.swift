import Foundation

/// What an archive from elsewhere may ask for when it is unpacked.
public struct ZipLimits: Sendable {
    /// The most bytes that all contents together may have.
    public var totalSize: Int
    /// How many times larger than its compressed bytes a content may be. Only contents of more than a mebibyte count.
    public var ratio: Int
    /// The most members.
    public var memberCount: Int

    /// Limits that the archives of large text corpora keep.
    public init(totalSize: Int = 8 << 30, ratio: Int = 200, memberCount: Int = 10_000) {
        self.totalSize = totalSize
        self.ratio = ratio
        self.memberCount = memberCount
    }
}

extension ZipArchive {
    /// The files of the archive, after a look at all of its members: none of them may leave the folder that the archive
    /// is unpacked into, take more space than the limits allow, share its bytes with another, or differ from another by
    /// the case of its name alone.
    ///
    /// - Throws: ``ZipProblem`` for the first member that is not as it should be.
    public func files(within limits: ZipLimits = ZipLimits()) throws(ZipProblem) -> [Member] {
        guard members.count <= limits.memberCount else {
            throw .unsupported("it has \(members.count) members, which is more than \(limits.memberCount)")
        }
        var total = 0
        var folded: [String: Member] = [:]
        for member in members {
            try Self.check(pathOf: member)
            if let other = folded.updateValue(member, forKey: member.path.lowercased()) {
                throw .unsupported(
                    "its members \(other.path.debugDescription) and \(member.path.debugDescription) are one file "
                        + "where names don't differ by case; nothing was unpacked")
            }
            if member.isLink {
                throw .unsupported(
                    "its member \(member.path.debugDescription) is a symbolic link; nothing was unpacked")
            }
            let isBomb = member.size > 1 << 20 && member.size / limits.ratio > member.storedBytes.count
            let (sum, overflow) = total.addingReportingOverflow(member.size)
            guard !isBomb, !overflow, sum <= limits.totalSize else {
                throw .unsupported(
                    "its member \(member.path.debugDescription) would grow from \(member.storedBytes.count) to "
                        + "\(member.size) bytes, which no honest archive of text does; nothing was unpacked")
            }
            total = sum
        }
        let ordered = members.sorted { $0.storedBytes.lowerBound < $1.storedBytes.lowerBound }
        for (first, second) in zip(ordered, ordered.dropFirst())
        where first.storedBytes.upperBound > second.storedBytes.lowerBound {
            throw .unsupported("its members \(first.path.debugDescription) and \(second.path.debugDescription) overlap")
        }
        return members.filter { !$0.isFolder }
    }

    private static func check(pathOf member: Member) throws(ZipProblem) {
        let path = member.isFolder ? String(member.path.unicodeScalars.dropLast()) : member.path
        guard path.isPlainPath else {
            throw .unsupported(
                "its member \(member.path.debugDescription) has a path that could leave the folder; "
                    + "nothing was unpacked")
        }
    }
}
