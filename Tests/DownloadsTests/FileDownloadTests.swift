import Files
import Foundation
import Synchronization
import TestSupport
import XCTest

@testable import Downloads

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// A file arrives whole and right, or there is an error, whatever the server and the network do.
final class FileDownloadTests: DownloadTestCase {
    private lazy var content = bytes(500_000)
    private var place: URL { folder.appendingPathComponent("file.incomplete") }
    private var url = URL(fileURLWithPath: "/")
    private var server: LoopbackServer?

    private func start(_ faults: LoopbackServer.Fault...) throws { try start(contentsOf: faults) }

    private func start(contentsOf faults: [LoopbackServer.Fault]) throws {
        try serve(content, at: "web/file")
        let server = try LoopbackServer(folder, faults: ["/web/file": faults])
        url = try XCTUnwrap(URL(string: server.web + "/file"))
        self.server = server
    }

    override func tearDownWithError() throws {
        server = nil
        try super.tearDownWithError()
    }

    /// Seconds; half of what an answer may take to begin. More where the time is not what is tested: machines are slow at
    /// times.
    private var patience = 0.4

    private var client: HTTPClient {
        var client = HTTPClient()
        client.patience.seconds = patience
        client.attempts = 4
        client.firstDelay = 0.01
        return client
    }

    private func fetch(
        size: Int? = 500_000, limit: Int = 1 << 30, checksum: Checksum? = nil, validator: String? = nil
    ) throws {
        let own = checksum ?? content.withUnsafeBytes { .sha256(SHA256($0).hexadecimal) }
        let file = RemoteFile(
            name: "file", url: url, size: size, limit: limit, checksum: own, validator: validator)
        try FileDownload(client: client) { self.events.list.append($0) }.fetch(file, to: place.path)
        XCTAssertEqual(try Data(contentsOf: place), content)
    }

    private func ranges() throws -> [String?] {
        try XCTUnwrap(server).requests().map { $0.headers["range"] }
    }

    func testAFileArrivesWithWhatIsToldOfIt() throws {
        try start()
        try fetch()
        XCTAssertEqual(events.list.first, .started(file: "file", present: 0, size: 500_000))
        XCTAssertEqual(events.list.last, .finished(file: "file", size: 500_000))
        XCTAssertEqual(events.retries, [])
        XCTAssertEqual(try XCTUnwrap(server).requests().map { $0.headers["accept-encoding"] }, ["identity"])
    }

    func testACutConnectionIsResumedWhereItBroke() throws {
        try start(["cut": 100_000], ["cut": 150_000], ["cut": 0], ["drop": true], ["cut": 50_000], ["drop": true])
        try fetch()
        let ranges = try ranges()
        XCTAssertEqual(ranges.count, 7)
        XCTAssertNil(ranges[0])
        let starts = ranges.dropFirst().map { $0.flatMap { Int($0.dropFirst("bytes=".count).dropLast()) } ?? -1 }
        // What the system had not handed over when the connection broke is lost, and no more than that.
        XCTAssert((1...100_000).contains(starts[0]), "\(starts)")
        XCTAssert((starts[0] + 1...starts[0] + 150_000).contains(starts[1]), "\(starts)")
        XCTAssertEqual(starts[1], starts[3])
        XCTAssertEqual(events.retries.count, 6)
    }

    func testAServerThatIgnoresRangeSendsTheFileAnew() throws {
        try start(["cut": 200_000], ["whole": true])
        try fetch()
        XCTAssertEqual(try ranges().count, 2)
    }

    func testAServerThatSendsAnotherPartIsNotBelieved() throws {
        try start(["cut": 200_000], ["shift": 7])
        try fetch()
        XCTAssertEqual(events.retries.last, "the server sent another part of the file than it was asked for")
    }

    func testTooShortBodiesAreCompleted() throws {
        try start(["short": 1000], ["claim": 5])
        try fetch()
        XCTAssert(events.retries.contains("the server sent 499000 of 500000 bytes"), "\(events.retries)")
    }

    func testTooLongBodiesAreRefused() throws {
        try start(["long": 1])
        assertFails("more than the 500000 bytes") { try fetch() }
        XCTAssertEqual(try Data(contentsOf: place), Data())
    }

    func testTooLongClaimsAreRefusedAsSoonAsTheyShow() throws {
        content = Data(count: 20_000_000)
        try start()
        assertFails("more than the 1000 bytes") { try fetch(size: 1000, checksum: .sha256("any")) }
    }

    func testDamagedBytesAreFetchedAgainAndThenRefused() throws {
        try start(["garble": true])
        try fetch()
        XCTAssertEqual(events.retries, ["the bytes received are damaged"])
        try FileManager.default.removeItem(at: place)
        try start(["garble": true], ["garble": true])
        assertFails("their hash is", "the server says", "Nothing of them was kept") { try fetch() }
        XCTAssertFalse(FileManager.default.fileExists(atPath: place.path))
    }

    func testADamagedBeginningOfAnEarlierTryIsThrownAway() throws {
        try start()
        try Data(bytes(400_000).reversed()).write(to: place)
        try fetch()
        XCTAssertEqual(try ranges(), ["bytes=400000-", nil])
    }

    func testAGoodBeginningOfAnEarlierTryIsKept() throws {
        try start()
        try content.prefix(499_999).write(to: place)
        try fetch()
        XCTAssertEqual(try ranges(), ["bytes=499999-"])
        // A file that is there needs no request at all; one that is too long is none of it.
        try fetch()
        XCTAssertEqual(try ranges().count, 1)
        try (content + Data([1])).write(to: place)
        try fetch()
        XCTAssertEqual(try ranges(), ["bytes=499999-", nil])
    }

    func testAFileThatChangedSinceIsFetchedAnew() throws {
        try start()
        try Data(bytes(1000).reversed()).write(to: place)
        try fetch(validator: "\"another version\"")
        XCTAssertEqual(try XCTUnwrap(server).requests().map { $0.headers["if-range"] }, ["\"another version\""])
        XCTAssertEqual(events.retries, [])
    }

    func testGitsHashIsChecked() throws {
        // `git hash-object` of a file with this text gives this.
        content = Data("hello\n".utf8)
        try start()
        try fetch(size: 6, checksum: .gitBlob("ce013625030ba8dba906f756967f9e9ca394464a"))
        try FileManager.default.removeItem(at: place)
        assertFails("their hash is ce013625030ba8dba906f756967f9e9ca394464a") {
            try fetch(size: 6, checksum: .gitBlob("ce013625030ba8dba906f756967f9e9ca394464b"))
        }
    }

    func testABusyServerIsAskedAgainWhenItSays() throws {
        try start(["status": 429, "headers": ["Retry-After": "1"]], ["status": 503], ["status": 500])
        let start = ContinuousClock.now
        try fetch()
        XCTAssertGreaterThan(ContinuousClock.now - start, .seconds(1))
        XCTAssertEqual(events.retries, [429, 503, 500].map { "the server answered \($0)" })
        XCTAssert(events.list.contains(.retrying(file: "file", reason: "the server answered 429", delay: 1)))
    }

    func testAServerThatAsksForTooMuchPatienceEndsTheDownload() throws {
        try start(["status": 429, "headers": ["Retry-After": "86400"]])
        assertFails("no more requests for 86400 seconds") { try fetch() }
        try start(["status": 429, "headers": ["Retry-After": "1e300"]])
        assertFails("no more requests for 1000000000 seconds") { try fetch() }
    }

    func testADateToRetryAfterIsUnderstood() {
        func delay(_ value: String) -> Double? {
            HTTPResponse(status: 429, url: url, headers: ["retry-after": value]).retryDelay
        }
        XCTAssertEqual(delay("Wed, 21 Oct 2015 07:28:00 GMT"), 0)
        XCTAssertGreaterThan(delay("Wed, 21 Oct 2099 07:28:00 GMT") ?? 0, 1e8)
        XCTAssertEqual(delay("2.5"), 2.5)
        for wrong in ["soon", "-1", "nan", "", "Wed, 21 Oct 2015 07:28:\u{301}00 GMT"] { XCTAssertNil(delay(wrong), wrong) }
        for endless in ["1e300", "inf", "9223372036854775808", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            XCTAssertEqual(delay(endless), 1e9, endless)
        }
    }

    func testErrorsThatStayEndTheDownload() throws {
        try start(["status": 404], ["status": 403], ["status": 401])
        assertFails("/web/file: the server answered 404 (there is no such file)") { try fetch() }
        assertFails("the server answered 403 (forbidden)") { try fetch() }
        assertFails("the server answered 401 (not authorised)") { try fetch() }
        XCTAssertEqual(try ranges().count, 3)
    }

    func testErrorsThatMayPassEndTheDownloadAfterSomeTries() throws {
        try start(["status": 502], ["status": 502], ["status": 502], ["status": 502])
        assertFails("the server answered 502 (an error of its own)") { try fetch() }
        XCTAssertEqual(try ranges().count, 4)
        url = try XCTUnwrap(URL(string: "http://127.0.0.1:1/file"))
        assertFails("http://127.0.0.1:1/file: ", "onnect", "what was received so far is kept") { try fetch() }
    }

    /// The words are curl's, for a server with a certificate that it made itself.
    func testAServerThatCannotBeTrustedIsNotAskedAgain() throws {
        let url = try XCTUnwrap(URL(string: "https://127.0.0.1/file"))
        var tries = 0
        assertFails("doesn't prove that it is the one (SSL certificate problem: self-signed", "ca-certificates") {
            try client.retrying("file", url: url, report: { self.events.list.append($0) }) {
                tries += 1
                throw BrokenExchange(reason: "SSL certificate problem: self-signed certificate")
            }
        }
        XCTAssertEqual(tries, 1)
        XCTAssertEqual(events.list, [])
    }

    func testASilentServerIsLeftAndAskedAgain() throws {
        try start(["stall": 20])
        try fetch()
        XCTAssertEqual(events.retries, ["the server was silent for too long"])
    }

    // MARK: - Answers without an end

    /// Checks that a fetch ends within some seconds, with an error that has `part`, and leaves at most so many bytes.
    private func assertEnds(
        _ part: String, within seconds: Double = 3, leaving most: Int = 0, size: Int? = nil, limit: Int = 1 << 20,
        line: UInt = #line
    ) {
        let start = ContinuousClock.now
        assertFails(part, line: line) { try fetch(size: size, limit: limit) }
        XCTAssertLessThan(ContinuousClock.now - start, .seconds(seconds), line: line)
        let left = (try? Data(contentsOf: place))?.count ?? 0
        XCTAssertLessThanOrEqual(left, most, line: line)
    }

    private func raw(_ head: String, then: String = "", pause: Double = 0) -> LoopbackServer.Fault {
        ["raw": head.replacingOccurrences(of: "\n", with: "\r\n"), "then": then, "pause": pause]
    }

    func testAnErrorsBodyIsNotReadToItsEnd() throws {
        let junk = String(repeating: "x", count: 10_000)
        let chunk = "2710\r\n" + junk + "\r\n"
        try start(
            raw("HTTP/1.1 404 Not Found\n\n", then: junk), raw("HTTP/1.1 403 Forbidden\n\n", then: "x", pause: 0.05),
            raw("HTTP/1.1 404 Not Found\nTransfer-Encoding: chunked\n\n", then: chunk),
            raw("HTTP/1.1 401 Unauthorized\nContent-Length: 9223372036854775807\n\n", then: junk))
        for status in [404, 403, 404, 401] { assertEnds("the server answered \(status)") }
        // Of the answer to HEAD there is nothing to wait for.
        try start(raw("HTTP/1.1 200 OK\nContent-Length: 9223372036854775807\n\n"))
        let head = try client.answer(to: HTTPRequest(method: "HEAD", url: url))
        XCTAssertEqual(head.contentLength, .max)
    }

    func testAnAnswerThatBreaksOffWithinItsHeadIsTriedAgain() throws {
        let heads = ["HTTP/1.1 200 OK\n", "HTTP/1.1 200 OK\nContent-Length: 5000", "HTTP/1.1 302 Found\nLocation: /a\n"]
        try start(contentsOf: heads.map { raw($0) })
        try fetch()
        XCTAssertEqual(events.retries.count, 3)
        XCTAssertEqual(Set(events.retries).count, 1, "\(events.retries)")
        try start(contentsOf: Array(repeating: raw("HTTP/1.1 200 OK\nServer: a"), count: 4))
        assertEnds("receiving data from the peer", leaving: 500_000)
    }

    func testLinesBehindABodyInChunksAreNoHead() throws {
        content = Data("some".utf8)
        let body = "4\nsome\n0\nX-Checksum: 1\nX-End: 2\n\n"
        for version in ["HTTP/1.1", "HtTp/1.1"] {
            try start(raw("\(version) 200 OK\nTransfer-Encoding: chunked\nTrailer: X-Checksum\n\n" + body))
            try fetch(size: nil)
            XCTAssertEqual(events.retries, [])
            try FileManager.default.removeItem(at: place)
        }
    }

    func testARedirectionWithABodyWithoutAnEndIsLeft() throws {
        let endless = raw("HTTP/1.1 302 Found\nLocation: /web/elsewhere\n\n", then: "x", pause: 0.05)
        try start(contentsOf: Array(repeating: endless, count: 4))
        assertEnds("answer did not begin in time", within: 8)
    }

    func testASlowServerIsLeft() throws {
        let trickle = raw("HTTP/1.1 200 OK\nContent-Length: 500000\n\n", then: "x", pause: 0.05)
        try start(trickle, trickle, trickle, trickle)
        assertEnds("sends less than 1000 bytes a second", leaving: 100, size: 500_000)
        XCTAssertEqual(events.retries, Array(repeating: "the server sends less than 1000 bytes a second", count: 3))
        // One that was slow for a while is asked again, and goes on.
        try FileManager.default.removeItem(at: place)
        try start(trickle)
        try fetch()
    }

    func testABodyThatBreaksOffAgainAndAgainAfterAByteEnds() throws {
        try start(contentsOf: (1...20).map { _ in ["cut": 1] })
        assertEnds("Check the connection", leaving: 20, size: 500_000)
        XCTAssertEqual(try ranges().count, 4)
    }

    func testHeadsWithoutAnEndAreLeft() throws {
        let slow = raw("HTTP/1.1 200 OK\n", then: "A: b\r\n", pause: 0.05)
        try start(slow, slow, slow, slow)
        assertEnds("answer did not begin in time", within: 8)
        let flood = raw("HTTP/1.1 200 OK\n", then: String(repeating: "A: b\r\n", count: 1000))
        try start(flood, flood, flood, flood)
        assertEnds("what was received so far is kept", within: 8)
        let line = raw("HTTP/1.1 200 OK\nA: ", then: String(repeating: "b", count: 10_000))
        try start(line, line, line, line)
        assertEnds("what was received so far is kept", within: 8)
    }

    func testABodyOfUnknownSizeHasABound() throws {
        patience = 5
        let junk = String(repeating: "x", count: 60_000)
        try start(
            raw("HTTP/1.1 200 OK\n\n", then: junk),
            raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", then: "EA60\r\n" + junk + "\r\n"))
        for _ in 0..<2 {
            assertEnds("sends more than 1048576 bytes, and does not say how many there are", within: 8)
        }
        try start()
        try fetch(size: nil)
    }

    func testSizesThatNoFileHasAreRefusedBeforeAnythingIsAsked() throws {
        try start()
        assertEnds("announces 9223372036854775807 bytes, and a file of this kind has 1048576", size: .max)
        assertEnds("No space left on device", size: .max, limit: .max)
        XCTAssertEqual(try ranges().count, 0)
    }

    func testLengthsThatCannotBeAreNotBelieved() throws {
        let lengths = ["9223372036854775807", "9223372036854775808", "-1", "5\r\nContent-Length: 7", "0x10", "many"]
        let faults = lengths.map { raw("HTTP/1.1 200 OK\nContent-Length: " + $0 + "\n\nbytes") }
        try start(contentsOf: faults.flatMap { Array(repeating: $0, count: 4) })
        for length in lengths {
            try? FileManager.default.removeItem(at: place)
            let start = ContinuousClock.now
            XCTAssertThrowsError(try fetch(), length)
            XCTAssertLessThan(ContinuousClock.now - start, .seconds(5), length)
        }
    }

    func testPartsThatCannotBeAreNotBelieved() throws {
        patience = 5
        let ranges = [
            "bytes 1000-1002/9223372036854775807", "bytes 9223372036854775807-9223372036854775807/500000",
            "bytes 1000-/x", "bytes -1--1/500000", "bytes 1000-1002/-500000", "bytes", "", "bytes 1000-9/500000/1",
        ]
        for range in ranges {
            try content.prefix(1000).write(to: place)
            try start(raw("HTTP/1.1 206 Partial Content\nContent-Range: \(range)\nContent-Length: 3\n\nabc"))
            try fetch()
        }
    }

    func testRedirectionsThatLeadNowhereAreErrors() throws {
        patience = 5
        try start(
            ["redirect": "ftp://example.org/file"], ["redirect": "http:///x"],
            ["redirect": "file:///etc/passwd"])
        for _ in 0..<3 { assertFails("sends elsewhere, but to no address of the web") { try fetch() } }
        server = try LoopbackServer(
            folder, faults: ["/web/file": Array(repeating: ["redirect": "/web/file"], count: 20)])
        url = try XCTUnwrap(URL(string: XCTUnwrap(server).web + "/file"))
        assertFails("more than 10 times") { try fetch() }
        let secure = try XCTUnwrap(URL(string: "https://example.org/a"))
        assertFails("from https to http://example.org/b, which is not encrypted") {
            _ = try HTTPClient.target("http://example.org/b?signature=secret", from: secure)
        }
        XCTAssertEqual(try HTTPClient.target("../b?c", from: secure).absoluteString, "https://example.org/b?c")
    }

    /// URLSession ends the process when it is told where to go after the session was cancelled.
    func testARedirectionThatComesAfterTheEndIsNotAnswered() throws {
        try start()
        let exchange = HTTPExchange(URLRequest(url: url), receiver: nil)
        let redirection = try XCTUnwrap(
            HTTPURLResponse(url: url, statusCode: 302, httpVersion: nil, headerFields: ["Location": "/web/next"]))
        let task = URLSession.shared.dataTask(with: url)
        final class Answers: Sendable { let count = Atomic(0) }
        func answers() -> Int {
            let answers = Answers()
            exchange.urlSession(
                URLSession.shared, task: task, willPerformHTTPRedirection: redirection, newRequest: URLRequest(url: url)
            ) { _ in answers.count.add(1, ordering: .relaxed) }
            return answers.count.load(ordering: .relaxed)
        }
        XCTAssertEqual(answers(), 1)
        _ = try exchange.run(patience: Patience()) {}
        XCTAssertEqual(answers(), 0)
    }

    func testATokenGoesToItsOriginAndNowhereElse() throws {
        try serve(bytes(10), at: "web/file")
        let server = try LoopbackServer(
            folder, faults: ["/web/file": [["redirect": "/web/next"]], "/web/next": [["redirect": "{other}/x"]]])
        let url = try XCTUnwrap(URL(string: server.web + "/file"))
        let request = HTTPRequest(url: url, credential: Credential(origin: url.origin, token: "secret"))
        // The other host refuses whoever shows it a token.
        XCTAssertEqual(try client.answer(to: request).status, 404)
        XCTAssertEqual(
            try server.requests().map { $0.headers["authorization"] }, ["Bearer secret", "Bearer secret", nil])
    }

    func testAFolderThatCannotBeWrittenIsSaid() throws {
        try start()
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        assertFails(place.path, "not written") { try fetch() }
        try FileManager.default.removeItem(at: place)
        try FileManager.default.createSymbolicLink(atPath: place.path, withDestinationPath: "elsewhere")
        assertFails(place.path, "not written") { try fetch() }
    }
}
