import Foundation

/// Where the hub and its cache are, as the environment says; the variables are those of Python's `huggingface_hub`.
public struct HubSettings: Sendable {
    /// The hub, `HF_ENDPOINT`.
    public var endpoint: URL
    /// The cache's folder: `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or in the user's cache folder.
    public var cache: URL
    /// What shows the hub who asks: `HF_TOKEN`, or the file that `hf auth login` writes.
    public var token: String?
    /// Whether nothing may be fetched: `HF_HUB_OFFLINE`.
    public var isOffline: Bool
    /// How many seconds a server may be silent: `HF_HUB_DOWNLOAD_TIMEOUT`.
    public var timeout: Double

    /// Reads an environment, and the token's file.
    ///
    /// - Throws: ``HubError/badVariable(name:value:reason:)``.
    public init(environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        let variables = Variables(environment)
        func bad(_ name: String, _ reason: String) -> HubError {
            .badVariable(name: name, value: environment[name] ?? "", reason: reason)
        }
        let address = variables["HF_ENDPOINT"] ?? "https://huggingface.co"
        let trimmed = String(address.reversed().drop { $0 == "/" }.reversed())
        guard let endpoint = URL(string: trimmed), ["http", "https"].contains(endpoint.scheme?.lowercased()),
            endpoint.host != nil, endpoint.query == nil
        else { throw bad("HF_ENDPOINT", "it has to be an address such as https://huggingface.co") }
        self.endpoint = endpoint

        let base = variables["XDG_CACHE_HOME"] ?? variables["HOME"].map { $0 + "/.cache" }
        let home = variables.path("HF_HOME") ?? base.map { $0 + "/huggingface" }
        let legacy = variables.path("HUGGINGFACE_HUB_CACHE")
        guard let cache = variables.path("HF_HUB_CACHE") ?? legacy ?? home.map({ $0 + "/hub" }) else {
            throw bad("HF_HOME", "there is no HOME to keep models in; set it to a folder")
        }
        self.cache = URL(fileURLWithPath: cache)
        isOffline = variables.isTrue("HF_HUB_OFFLINE") || variables.isTrue("TRANSFORMERS_OFFLINE")
        timeout = 30
        if let text = variables["HF_HUB_DOWNLOAD_TIMEOUT"] {
            guard let seconds = Double(text), (1...86_400).contains(seconds) else {
                throw bad("HF_HUB_DOWNLOAD_TIMEOUT", "it has to be a number of seconds, 1 or more")
            }
            timeout = seconds
        }
        let file = variables.path("HF_TOKEN_PATH") ?? home.map { $0 + "/token" }
        token = variables["HF_TOKEN"] ?? variables["HUGGING_FACE_HUB_TOKEN"]
        if token == nil, !variables.isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN"), let file {
            token = try? String(contentsOfFile: file, encoding: .utf8)
        }
        token = token?.trimmingCharacters(in: .whitespacesAndNewlines)
        if token?.isEmpty == true { token = nil }
        // In a header anything else could be read as a header of its own.
        if let token, !token.allSatisfy({ $0.isASCII && !$0.isWhitespace && ("!"..."~").contains($0) }) {
            throw HubError.badVariable(name: "HF_TOKEN", value: "…", reason: "a token is one word of ASCII characters")
        }
    }
}

/// An environment as Python's `huggingface_hub` reads it.
private struct Variables {
    private let environment: [String: String]

    init(_ environment: [String: String]) { self.environment = environment }

    /// A variable that is set to something.
    subscript(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

    func isTrue(_ name: String) -> Bool { ["1", "ON", "YES", "TRUE"].contains(environment[name]?.uppercased()) }

    /// A path, with `~`, `$NAME` and `${NAME}` put in, as Python's `expanduser` and `expandvars` do.
    func path(_ name: String) -> String? {
        guard var path = self[name] else { return nil }
        if path == "~" || path.hasPrefix("~/") { path = (self["HOME"] ?? "~") + path.dropFirst() }
        for (name, value) in environment where path.contains("$") {
            path = path.replacingOccurrences(of: "${\(name)}", with: value)
        }
        return path.replacing(/\$([A-Za-z_][A-Za-z0-9_]*)/) { match in
            environment[String(match.output.1)] ?? String(match.output.0)
        }
    }
}
