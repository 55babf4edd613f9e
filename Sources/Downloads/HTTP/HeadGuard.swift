import Foundation
import Synchronization

/// What libcurl tells Foundation of the heads of answers: one that breaks off, `HTTP/1.1 200 OK` and no more, as an
/// error, and the lines that may follow a body in chunks not at all.
///
/// To libcurl an answer that breaks off within its head is whole. Foundation has then no response to hand over, and ends
/// the process: no code of a program's own is asked before. It takes the lines behind a body for another head, which
/// has no status, and ends the process, too. The functions here take the place of libcurl's as
/// ``curlInformation(_:_:_:)`` does.
private enum HeadGuard {
    typealias SetOption = @convention(c) (UnsafeMutableRawPointer?, UInt32, UnsafeMutableRawPointer?) -> UInt32
    typealias CleanUp = @convention(c) (UnsafeMutableRawPointer?) -> Void
    typealias ReadInformation =
        @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<Int32>?) -> UnsafeMutableRawPointer?
    /// Takes a line of a head: its bytes, their size, how many there are, and what the transfer's owner gave.
    typealias TakeLine =
        @convention(c) (UnsafeMutablePointer<CChar>?, Int, Int, UnsafeMutableRawPointer?) -> Int

    /// libcurl's `CURLMsg`.
    struct Message {
        var kind: UInt32
        var transfer: UnsafeMutableRawPointer?
        /// A `CURLcode`, in a union with a pointer.
        var result: UInt32
    }

    /// `CURLOPT_HEADERFUNCTION` and `CURLOPT_HEADERDATA`.
    static let (lineFunction, lineOwner) = (20079 as UInt32, 10029 as UInt32)
    /// `CURLMSG_DONE`.
    static let done: UInt32 = 1
    /// `CURLE_OK`, `CURLE_NOT_BUILT_IN` and `CURLE_RECV_ERROR`.
    static let (fine, notBuiltIn, broken) = (0 as UInt32, 4 as UInt32, 56 as UInt32)

    /// What of an answer has come.
    enum Place { case beforeHead, inHead, behindHead }

    /// What is known of a transfer of Foundation's.
    struct Transfer {
        /// Takes the lines of its answer's head.
        var function: UInt
        /// What is handed to the function.
        var owner: UInt
        var place = Place.beforeHead
    }

    /// By libcurl's handles, as long as these are there.
    static let transfers = Mutex<[UInt: Transfer]>([:])
    /// What was given to be handed to their functions, by the same.
    static let owners = Mutex<[UInt: UInt]>([:])

    static let setOption = next("curl_easy_setopt").map { unsafeBitCast($0, to: SetOption.self) }
    static let cleanUp = next("curl_easy_cleanup").map { unsafeBitCast($0, to: CleanUp.self) }
    static let readInformation = next("curl_multi_info_read").map { unsafeBitCast($0, to: ReadInformation.self) }

    /// libcurl's function of that name.
    private static func next(_ name: String) -> UnsafeMutableRawPointer? {
        dlsym(UnsafeMutableRawPointer(bitPattern: -1), name)
    }

    /// Whether a function is of Foundation. What else may use libcurl in the process is left alone.
    static func isFoundations(_ function: UnsafeMutableRawPointer) -> Bool {
        var found = SymbolInformation()
        guard let findSymbol, findSymbol(function, &found) != 0, let path = found.path else { return false }
        return String(cString: path).contains("FoundationNetworking")
    }

    /// The C library's `Dl_info`.
    private struct SymbolInformation {
        var path: UnsafePointer<CChar>?
        var base: UnsafeMutableRawPointer?
        var name: UnsafePointer<CChar>?
        var address: UnsafeMutableRawPointer?
    }

    /// `dladdr`, which the C library's headers declare for C alone.
    private static let findSymbol = next("dladdr").map {
        unsafeBitCast($0, to: (@convention(c) (UnsafeRawPointer?, UnsafeMutableRawPointer?) -> Int32).self)
    }

    /// Looks at a line of a head, and hands it on. What its owner gave is here the transfer.
    static let takeLine: TakeLine = { bytes, size, count, transfer in
        let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
        let known = transfers.withLock { transfers -> Transfer? in
            guard var known = transfers[UInt(bitPattern: transfer)] else { return nil }
            // In any case, as libcurl takes it.
            if String(decoding: line.prefix(5), as: UTF8.self).uppercased() == "HTTP/" { known.place = .inHead }
            let isOwners = known.place != .behindHead
            let isBlank = line.first == 0x0A || line.starts(with: "\r\n".utf8)
            if isBlank, known.place == .inHead { known.place = .behindHead }
            transfers[UInt(bitPattern: transfer)] = known
            return isOwners ? known : nil
        }
        guard let known else { return line.count }
        return unsafeBitCast(known.function, to: TakeLine.self)(
            bytes, size, count, UnsafeMutableRawPointer(bitPattern: known.owner))
    }
}

/// libcurl's function of that name, whose third argument is one of C's `...`. The lines of an answer's head are seen by
/// the guard before they are by who asks for them.
///
/// - Parameters:
///   - handle: The transfer.
///   - option: What is set, a `CURLoption`.
///   - value: What to, a pointer or a number of a pointer's size.
/// - Returns: A `CURLcode`.
@_cdecl("curl_easy_setopt")
public func curlSetOption(
    _ handle: UnsafeMutableRawPointer?, _ option: UInt32, _ value: UnsafeMutableRawPointer?
) -> UInt32 {
    guard let function = HeadGuard.setOption else { return HeadGuard.notBuiltIn }
    let key = UInt(bitPattern: handle)
    if option == HeadGuard.lineOwner { HeadGuard.owners.withLock { $0[key] = UInt(bitPattern: value) } }
    guard option == HeadGuard.lineFunction, let value, HeadGuard.isFoundations(value) else {
        return function(handle, option, value)
    }
    let owner = HeadGuard.owners.withLock { $0[key] ?? 0 }
    HeadGuard.transfers.withLock { $0[key] = .init(function: UInt(bitPattern: value), owner: owner) }
    let code = function(handle, HeadGuard.lineOwner, handle)
    guard code == HeadGuard.fine else { return code }
    return function(handle, option, unsafeBitCast(HeadGuard.takeLine, to: UnsafeMutableRawPointer.self))
}

/// libcurl's function of that name, after which nothing more is known of the transfer.
///
/// - Parameter handle: The transfer.
@_cdecl("curl_easy_cleanup")
public func curlCleanUp(_ handle: UnsafeMutableRawPointer?) {
    // First, as another transfer may have the handle's place in memory afterwards.
    HeadGuard.transfers.withLock { _ = $0.removeValue(forKey: UInt(bitPattern: handle)) }
    HeadGuard.owners.withLock { _ = $0.removeValue(forKey: UInt(bitPattern: handle)) }
    HeadGuard.cleanUp?(handle)
}

/// libcurl's function of that name, but for what it says of an answer whose head has no end.
///
/// - Parameters:
///   - handle: The transfers that run together.
///   - count: Where the number of further messages goes.
/// - Returns: A `CURLMsg`, or nil.
@_cdecl("curl_multi_info_read")
public func curlMultiInformation(
    _ handle: UnsafeMutableRawPointer?, _ count: UnsafeMutablePointer<Int32>?
) -> UnsafeMutableRawPointer? {
    guard let found = HeadGuard.readInformation?(handle, count) else { return nil }
    let message = found.assumingMemoryBound(to: HeadGuard.Message.self)
    if message.pointee.kind == HeadGuard.done, message.pointee.result == HeadGuard.fine {
        let key = UInt(bitPattern: message.pointee.transfer)
        if HeadGuard.transfers.withLock({ $0[key]?.place }) == .inHead { message.pointee.result = HeadGuard.broken }
    }
    return found
}
