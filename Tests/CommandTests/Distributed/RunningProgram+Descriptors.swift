import Foundation
import XCTest

/// What a running program has open, as Linux tells it.
extension RunningProgram {
    func descriptorCount() throws -> Int { try descriptors().count }

    /// Where it takes connections, as `127.0.0.1:29500`; an address of IPv6 is in 32 hexadecimal digits.
    func listeningAddresses() throws -> [String] {
        let folder = "/proc/\(processIdentifier)/fd"
        let links = try descriptors().map { "\(folder)/\($0)" }
        // A descriptor may be closed by now.
        let sockets = Set(links.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: $0) })
        return try ["tcp", "tcp6"].flatMap { name in
            try String(contentsOfFile: "/proc/net/\(name)", encoding: .utf8).split(separator: "\n").dropFirst()
                .compactMap { line -> String? in
                    let fields = line.split(separator: " ")
                    // 0A is the state of a socket that listens.
                    guard fields.count > 9, fields[3] == "0A", sockets.contains("socket:[\(fields[9])]") else {
                        return nil
                    }
                    let parts = fields[1].split(separator: ":")
                    let port = try XCTUnwrap(UInt16(parts[1], radix: 16))
                    guard name == "tcp", let address = UInt32(parts[0], radix: 16) else { return "\(parts[0]):\(port)" }
                    let bytes = withUnsafeBytes(of: address) { $0.map(String.init) }
                    return "\(bytes.joined(separator: ".")):\(port)"
                }
        }
    }

    private func descriptors() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(processIdentifier)/fd")
    }
}
