import Files
import Foundation
import TestSupport
import XCTest

@testable import Downloads

/// Damaged answers of a server: see ``DamagedFiles``.
///
/// The answer lies in a file, which is damaged and sent as it is. A file whose checksum is known is there with the right
/// bytes afterwards, or there is an error.
final class DamagedFilesTests: DownloadTestCase {
    private lazy var damaged = DamagedFiles(share: 0.15)
    private lazy var content = bytes(200)
    private var place: URL { folder.appendingPathComponent("file") }

    /// The least patience, and no pauses.
    private let client = {
        var client = HTTPClient()
        client.patience.seconds = 0.3
        client.attempts = 2
        client.firstDelay = 0.001
        client.longestWait = 0.01
        return client
    }()

    private func head(_ status: String, _ headers: String...) -> Data {
        let fixed = ["Server: test", "Content-Type: application/octet-stream", "ETag: \"abc\""]
        return Data((["HTTP/1.1 \(status)"] + fixed + headers).map { $0 + "\r\n" }.joined().utf8) + Data("\r\n".utf8)
    }

    private func file(at server: RawServer) throws -> RemoteFile {
        RemoteFile(
            name: "file", url: try XCTUnwrap(URL(string: "http://127.0.0.1:\(server.port)/file")), size: content.count,
            limit: 1 << 20, checksum: content.withUnsafeBytes { .sha256(SHA256($0).hexadecimal) }, validator: "\"abc\"")
    }

    /// Fetches the file while the server gives an answer that is damaged, and then those that follow.
    ///
    /// - Parameters:
    ///   - present: the bytes that an earlier try has left.
    ///   - next: the whole answers that the damaged one leads to.
    ///   - succeeds: whether the file comes of the whole answer.
    private func damage(
        _ kind: String, _ answer: Data, present: Int = 0, next: [Data] = [], succeeds: Bool = true
    ) throws {
        let server = try RawServer()
        let input = folder.appendingPathComponent("answer")
        try answer.write(to: input)
        let file = try file(at: server)
        func fetch() throws -> [String] {
            try content.prefix(present).write(to: place)
            server.answer(with: [try Data(contentsOf: input)] + next)
            try FileDownload(client: client) { _ in }.fetch(file, to: place.path)
            return try Data(contentsOf: place) == content ? [] : ["the file has other bytes"]
        }
        try damaged.damage(
            "server's answer, \(kind)", folder, ["answer"], share: 1.0 / 7, readsWhole: succeeds, fetch)
    }

    private var whole: Data { head("200 OK", "Content-Length: \(content.count)") + content }

    func testAnswersWithALength() throws {
        try damage("with a length", whole)
    }

    func testAnswersInChunks() throws {
        var chunks = Data()
        for start in stride(from: 0, to: content.count, by: 70) {
            let chunk = content[start..<min(start + 70, content.count)]
            chunks += Data("\(String(chunk.count, radix: 16)); a=b\r\n".utf8) + chunk + Data("\r\n".utf8)
        }
        try damage("in chunks", head("200 OK", "Transfer-Encoding: chunked") + chunks + Data("0\r\nX-End: 1\r\n\r\n".utf8))
    }

    func testPartsOfAFile() throws {
        let (start, end) = (50, content.count)
        let range = "Content-Range: bytes \(start)-\(end - 1)/\(end)"
        try damage("a part", head("206 Partial Content", range, "Content-Length: \(end - start)") + content[start...], present: start)
    }

    func testRedirectionsAndErrors() throws {
        // Relative, so that no damage leads to another host.
        try damage("a redirection", head("302 Found", "Location: other?a=b%20c", "Content-Length: 0"), next: [whole])
        let busy = head("503 Busy", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", "Content-Length: 4") + Data("busy".utf8)
        try damage("a time to wait", busy, next: [whole])
        let refusal = head("404 Not Found", "X-Error-Message: no such file", "Content-Length: 4") + Data("none".utf8)
        try damage("an error", refusal, succeeds: false)
    }

    /// What an answer's head says, which is read before anything of the body.
    func testHeads() throws {
        let server = try RawServer()
        let input = folder.appendingPathComponent("answer")
        let answer = head("200 OK", "Content-Length: 4", "Retry-After: 3", "X-Linked-Size: 4", "Set-Cookie: a=b; Expires=0")
        try (answer + Data("four".utf8)).write(to: input)
        let url = try file(at: server).url
        func read() throws -> [String] {
            server.answer(with: [try Data(contentsOf: input)])
            return try ["GET", "HEAD"].flatMap { method in
                let response = try client.retrying("answer", url: url, report: { _ in }) {
                    let request = HTTPRequest(method: method, url: url)
                    let response = try client.answer(to: request, receiver: MemoryReceiver(limit: 100))
                    try response.check()
                    return response
                }
                let numbers = [response.contentLength.map(Double.init), response.retryDelay].compactMap { $0 }
                return numbers.filter { !($0 >= 0 && $0.isFinite) }.map { "the number \($0)" }
            }
        }
        try damaged.damage("server's answer, its head", folder, ["answer"], share: 1.0 / 7, read)
    }
}
