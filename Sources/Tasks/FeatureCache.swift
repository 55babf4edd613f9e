import Files
import Foundation
import Tokenization

/// A directory that keeps the encoded examples of data files from one run to the next.
///
/// A cache file's name is the SHA-256 of all its contents depend on: the bytes of the source file, the rules it is read
/// by, the vocabulary, the added tokens, the casing and the longest sequence. So it never needs to be thrown away
/// because something has changed, and several processes may use one directory, building the same file at the same time,
/// too.
public struct FeatureCache: Sendable {
    public let directory: URL
    public let tokenizer: WordPieceTokenizer
    /// The number of input ids, the two or three special ones included, that an example is cut to.
    public let maxSequenceLength: Int
    let vocabularyHash: String

    public init(directory: URL, tokenizer: WordPieceTokenizer, maxSequenceLength: Int) {
        self.directory = directory
        self.tokenizer = tokenizer
        self.maxSequenceLength = maxSequenceLength
        vocabularyHash = SHA256(tokenizer.vocabulary.fileContents).hexadecimal
    }

    /// The encoded examples of a task's set: from the cache, or built into it if the cache has none or a damaged file.
    ///
    /// - Parameters:
    ///   - task: the task that the set belongs to.
    ///   - file: one of its sets.
    ///   - dataDirectory: the folder with GLUE's data, if the set is one of its.
    ///   - overwrite: builds anew whatever the cache has.
    /// - Throws: `DataFileError` for the source files; `FeatureCacheError` if the cache can't be written.
    public func features(
        of task: TaskDefinition, in file: DataFile, dataDirectory: URL?, overwrite: Bool = false
    ) throws -> FeatureSet {
        let sources = try file.sources(of: task.kind, in: dataDirectory, scratch: directory)
        let key = try FeatureKey(sources: sources, file: file, task: task, cache: self)
        let url = directory.appendingPathComponent(key.hexadecimal + ".features")
        let path = url.path
        let labels = file.columns.hasLabel ? task.kind : nil
        var origin = FeatureSet.Origin.built
        if !overwrite {
            do {
                return try FeatureSet(contentsOf: path, key: key, labels: labels, origin: .cached)
            } catch let damage as DamagedFile {
                origin = .rebuilt(reason: damage.reason)
            } catch let error as SystemError where error.code != ENOENT && error.code != ENOTDIR {
                origin = .rebuilt(reason: error.description)
            } catch is SystemError {}
        }
        try FeatureBuilder(
            sources: sources, encoder: ExampleEncoder(
                tokenizer: tokenizer, maxSequenceLength: maxSequenceLength, truncationSide: task.truncationSide),
            hasLabels: file.columns.hasLabel, kind: task.kind
        ).build(key: key, at: url)
        do {
            return try FeatureSet(contentsOf: path, key: key, labels: labels, origin: origin)
        } catch let damage as DamagedFile {
            throw FeatureCacheError(path: path, reason: "the file just written is damaged: \(damage.reason)")
        } catch let error as SystemError {
            throw FeatureCacheError(path: path, reason: error.description)
        }
    }
}

/// A cache that can't be used.
public struct FeatureCacheError: Error, Equatable, CustomStringConvertible {
    public var path: String
    public var reason: String

    public var description: String {
        "cannot write the feature cache \(path): \(reason). Choose a cache directory that can be written."
    }
}
