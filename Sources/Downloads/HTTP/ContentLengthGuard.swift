import Foundation

/// What libcurl tells Foundation of a transfer, in place of libcurl's function of that name: a `Content-Length` near
/// 2⁶³ as less than that.
///
/// Foundation asks for the length as a `Double`, makes an `Int64` of it, and ends the process where that can't be: no
/// code of a program's own is asked before. The dynamic linker takes this function because the program goes before
/// its libraries.
///
/// - Parameters:
///   - handle: The transfer.
///   - information: What is asked for, a `CURLINFO`.
///   - value: Where it goes.
/// - Returns: A `CURLcode`.
@_cdecl("curl_easy_getinfo")
public func curlInformation(
    _ handle: UnsafeMutableRawPointer?, _ information: UInt32, _ value: UnsafeMutableRawPointer?
) -> UInt32 {
    guard let function = ContentLengthGuard.function else { return ContentLengthGuard.notBuiltIn }
    let code = function(handle, information, value)
    if information == ContentLengthGuard.contentLength, let length = value?.assumingMemoryBound(to: Double.self) {
        length.pointee = min(length.pointee, Double(sign: .plus, exponent: 63, significand: 1).nextDown)
    }
    return code
}

private enum ContentLengthGuard {
    typealias Function = @convention(c) (UnsafeMutableRawPointer?, UInt32, UnsafeMutableRawPointer?) -> UInt32

    /// `CURLINFO_CONTENT_LENGTH_DOWNLOAD`, a `Double`.
    static let contentLength: UInt32 = 0x30_000F
    /// `CURLE_NOT_BUILT_IN`.
    static let notBuiltIn: UInt32 = 4

    /// libcurl's own, the next of that name. Its third argument is one of C's `...`, which is passed as any other on
    /// the processors that this runs on.
    static let function: Function? = {
        let next = UnsafeMutableRawPointer(bitPattern: -1)
        return dlsym(next, "curl_easy_getinfo").map { unsafeBitCast($0, to: Function.self) }
    }()
}
