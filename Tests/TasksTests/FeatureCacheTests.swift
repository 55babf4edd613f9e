import Files
import Foundation
import Synchronization
import Tokenization
import TestSupport
import XCTest

@testable import Tasks

final class FeatureCacheTests: DirectoryTestCase {
    private struct Copy: Equatable {
        var inputIDs: [Int32]
        var tokenTypeIDs: [Int32]
        var target: [Float]
        var line: Int
    }

    private var cacheDirectory: URL { directory.appendingPathComponent("cache/features") }

    private func cache(
        moreTokens: [String] = [], lowercase: Bool = true, maxSequenceLength: Int = 16
    ) throws -> FeatureCache {
        FeatureCache(
            directory: cacheDirectory,
            tokenizer: try TestData.tokenizer(moreTokens: moreTokens, lowercase: lowercase),
            maxSequenceLength: maxSequenceLength)
    }

    private func cacheFiles() throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: cacheDirectory, includingPropertiesForKeys: nil)
    }

    private func copies(of features: FeatureSet) -> [Copy] {
        (0..<features.count).map { index in
            features.withExample(at: index) { example in
                let first = example.sequences[0].firstSegmentLength
                return Copy(
                    inputIDs: Array(example.inputIDs),
                    tokenTypeIDs: (0..<example.inputIDs.count).map { $0 < first ? 0 : 1 },
                    target: example.marks.target, line: example.line)
            }
        }
    }

    private func directly(_ task: TaskDefinition, _ file: DataFile, _ cache: FeatureCache) throws -> [Copy] {
        try task.examples(in: file, dataDirectory: directory).examples.map { example in
            let encoding = cache.tokenizer.encode(
                example.first, pair: example.second, maxLength: cache.maxSequenceLength)
            return Copy(
                inputIDs: encoding.inputIDs, tokenTypeIDs: encoding.tokenTypeIDs, target: example.target,
                line: example.line)
        }
    }

    /// A training file of more rows than are encoded between two writes, every tenth of them damaged.
    private func writeQQP(rows: Int) throws {
        var text = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
        for row in 0..<rows {
            let words = String(repeating: " the cat", count: row % 7)
            text += row % 10 == 9 ? "damaged\n" : "\(row)\t1\t2\tA dog \(row)\(words).\tA\(words) sleeps.\t\(row % 2)\n"
        }
        try write(text, to: "QQP/train.tsv")
    }

    private func writeRTE(to path: String = "RTE/train.tsv") throws {
        let rows = "0\tThe cat sleeps.\tA cat\tentailment\n1\tA dog.\t\tnot_entailment\n"
        try write("index\tsentence1\tsentence2\tlabel\n" + rows, to: path)
    }

    // MARK: Contents

    func testTheMappedExamplesAreThoseOfADirectEncoding() throws {
        let task = try GLUE.task(named: "qqp"), cache = try cache()
        try writeQQP(rows: 20_000)
        let expected = try directly(task, task.train, cache)
        let built = try cache.features(of: task, in: task.train, dataDirectory: directory)
        XCTAssertEqual(built.origin, .built)
        XCTAssertEqual(built.count, 18_000)
        XCTAssertEqual(built.skippedRows, 2_000)
        XCTAssertTrue(built.hasLabels)
        XCTAssertEqual(copies(of: built), expected)
        let cached = try cache.features(of: task, in: task.train, dataDirectory: directory)
        XCTAssertEqual(cached.origin, .cached)
        XCTAssertEqual(copies(of: cached), expected)
        XCTAssertEqual((0..<cached.count).map { cached.length(at: $0) }, expected.map(\.inputIDs.count))
        XCTAssertEqual((0..<cached.count).map { cached.target(at: $0) }, expected.map(\.target))
        XCTAssertEqual(cached.tokenCount, expected.reduce(0) { $0 + $1.inputIDs.count })
    }

    func testEveryBuildGivesTheSameBytes() throws {
        let task = try GLUE.task(named: "qqp"), cache = try cache()
        try writeQQP(rows: 20_000)
        _ = try cache.features(of: task, in: task.train, dataDirectory: directory)
        let first = try Data(contentsOf: XCTUnwrap(cacheFiles().first))
        _ = try cache.features(of: task, in: task.train, dataDirectory: directory, overwrite: true)
        XCTAssertEqual(try Data(contentsOf: XCTUnwrap(cacheFiles().first)), first)
    }

    func testATestFileHasNoLabelsAndASingleTextHasOneSegment() throws {
        try write("index\tsentence\n0\tThe cat sleeps.\n1\t\n", to: "CoLA/test.tsv")
        let task = try GLUE.task(named: "cola")
        let features = try cache().features(of: task, in: task.test[0], dataDirectory: directory)
        XCTAssertFalse(features.hasLabels)
        XCTAssertEqual(features.target(at: 1), [])
        features.withExample(at: 0) { example in
            XCTAssertEqual(example.marks.target, [])
            XCTAssertEqual(example.sequences[0].firstSegmentLength, example.inputIDs.count)
            XCTAssertEqual(example.line, 2)
        }
    }

    func testAScoreKeepsItsFraction() throws {
        try write("sentence1\tsentence2\tscore\na\tb\t3.8\na\tb\t0\n", to: "STS-B/train.tsv")
        let task = try GLUE.task(named: "sts-b")
        let features = try cache().features(of: task, in: task.train, dataDirectory: directory)
        XCTAssertEqual([features.target(at: 0), features.target(at: 1)], [[3.8], [0]])
    }

    /// Work that grows with the square of a length would take 16 times as long for one that is four times so.
    func testTimeGrowsWithTheLengthOfALineAFieldAndAWord() throws {
        let task = try GLUE.task(named: "rte")
        let cache = try cache()
        let start = "index\tsentence1\tsentence2\tlabel\n"
        for part in ["the cat ", "x", "\u{301}", "[", "\t", "\r", "é"] {
            func seconds(_ count: Int) throws -> Double {
                let long = String(repeating: part, count: count)
                try write(start + "0\t\(long)\tA cat\tentailment\n1\ta\tb\t\(long)\n", to: "RTE/train.tsv")
                // A text of tabs or line ends is damaged, and the label of the last row is none.
                return processorSeconds {
                    _ = try? cache.features(of: task, in: task.train, dataDirectory: directory)
                }
            }
            _ = try seconds(10)
            let (short, long) = (try seconds(30_000), try seconds(120_000))
            XCTAssertLessThan(long, short * 10 + 0.1, part.debugDescription)
        }
    }

    // MARK: Key

    func testWhatTheFeaturesDoNotDependOnSharesAFile() throws {
        try writeRTE()
        try writeRTE(to: "Other/copy.tsv")
        var renamed = try GLUE.task(named: "rte")
        let task = renamed
        renamed.name = "my-rte"
        renamed.train.name = "my-rte"
        renamed.train.location = .official(["Other/copy.tsv"])
        let cache = try cache()
        XCTAssertEqual(try cache.features(of: task, in: task.train, dataDirectory: directory).origin, .built)
        for other in [task, renamed] {
            XCTAssertEqual(try cache.features(of: other, in: other.train, dataDirectory: directory).origin, .cached)
        }
        XCTAssertEqual(try cacheFiles().count, 1)
    }

    func testEverythingTheFeaturesDependOnHasAFileOfItsOwn() throws {
        try writeRTE()
        let task = try GLUE.task(named: "rte")
        let reversed = try GLUE.task(
            for: try TaskHead(name: "rte", kind: Classification(labels: ["not_entailment", "entailment"])))
        var swapped = task
        swapped.train.columns = .named(first: "sentence2", second: "sentence1", label: "label")
        var unlabelled = task
        unlabelled.train.columns = .named(first: "sentence1", second: "sentence2")
        func cacheAdding(_ tokens: [AddedToken], findsMask: Bool = true) throws -> FeatureCache {
            let tokenizer = try WordPieceTokenizer(
                vocabulary: TestData.tokenizer().vocabulary, lowercase: true, addedTokens: tokens, findsMask: findsMask)
            return FeatureCache(directory: cacheDirectory, tokenizer: tokenizer, maxSequenceLength: 16)
        }
        let added = AddedToken(content: "Cat", id: 13, isNormalized: false, isSpecial: true)
        var normalized = added
        normalized.isNormalized = true
        var single = added
        single.isSingleWord = true
        let variants: [(FeatureCache, TaskDefinition)] = [
            (try cacheAdding([added]), task), (try cacheAdding([normalized]), task),
            (try cacheAdding([single]), task), (try cacheAdding([], findsMask: false), task),
            (try cache(), task), (try cache(), reversed), (try cache(), swapped), (try cache(), unlabelled),
            (try cache(moreTokens: ["sleeps"]), task), (try cache(lowercase: false), task),
            (try cache(maxSequenceLength: 8), task),
        ]
        for (index, (cache, task)) in variants.enumerated() {
            let features = try cache.features(of: task, in: task.train, dataDirectory: directory)
            XCTAssertEqual(features.origin, .built)
            XCTAssertEqual(try cacheFiles().count, index + 1)
            XCTAssertEqual(copies(of: features), try directly(task, task.train, cache))
        }
        try write("index\tsentence1\tsentence2\tlabel\n0\tA dog.\tA cat\tentailment\n", to: "RTE/train.tsv")
        XCTAssertEqual(try cache().features(of: task, in: task.train, dataDirectory: directory).origin, .built)
        XCTAssertEqual(try cacheFiles().count, variants.count + 1)
    }

    // MARK: Files

    func testOverwritingBuildsTheFileAnewAndLeavesOpenSetsAlone() throws {
        func fileNumber() throws -> Int? {
            let path = try XCTUnwrap(cacheFiles().first).path
            return try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int
        }
        try writeRTE()
        let task = try GLUE.task(named: "rte"), cache = try cache()
        let old = try cache.features(of: task, in: task.train, dataDirectory: directory)
        let before = try fileNumber()
        _ = try cache.features(of: task, in: task.train, dataDirectory: directory)
        XCTAssertEqual(try fileNumber(), before)
        let new = try cache.features(of: task, in: task.train, dataDirectory: directory, overwrite: true)
        XCTAssertNotEqual(try fileNumber(), before)
        XCTAssertEqual(new.origin, .built)
        XCTAssertEqual(copies(of: new), copies(of: old))
        XCTAssertEqual(try cacheFiles().count, 1)
    }

    func testManyMayBuildTheSameFileAtOnce() throws {
        try writeQQP(rows: 3_000)
        let task = try GLUE.task(named: "qqp"), cache = try cache(), data = directory
        let expected = try directly(task, task.train, cache)
        let sets = ConcurrentResults<FeatureSet>(count: 8)
        DispatchQueue.concurrentPerform(iterations: 8) { index in
            sets.store(
                Result {
                    try cache.features(of: task, in: task.train, dataDirectory: data, overwrite: index % 2 == 0)
                }, at: index)
        }
        for result in sets.all { XCTAssertEqual(copies(of: try result.get()), expected) }
        XCTAssertEqual(try cacheFiles().map(\.pathExtension), ["features"])
    }

    func testADamagedFileIsBuiltAnew() throws {
        try writeRTE()
        let task = try GLUE.task(named: "rte"), cache = try cache()
        let expected = copies(of: try cache.features(of: task, in: task.train, dataDirectory: directory))
        let file = try XCTUnwrap(cacheFiles().first)
        let good = try Data(contentsOf: file)
        var damaged = (0..<good.count).map { index in
            var bytes = good
            bytes[index] ^= 0x10
            return bytes
        }
        damaged += (0..<good.count).map { good.prefix($0) }
        damaged += [good + [0], good + good, Data(repeating: 0, count: good.count), Data(repeating: 255, count: 4096)]
        for bytes in damaged {
            try bytes.write(to: file)
            let features = try cache.features(of: task, in: task.train, dataDirectory: directory)
            guard case .rebuilt = features.origin else { return XCTFail("\(bytes as NSData) was taken for whole") }
            XCTAssertEqual(copies(of: features), expected)
            XCTAssertEqual(try Data(contentsOf: file), good)
        }
    }

    func testDamageAnywhereInALargeFileIsSeen() throws {
        try writeQQP(rows: 60_000)
        let task = try GLUE.task(named: "qqp"), cache = try cache()
        _ = try cache.features(of: task, in: task.train, dataDirectory: directory)
        let file = try XCTUnwrap(cacheFiles().first)
        let good = try Data(contentsOf: file)
        XCTAssertGreaterThan(good.count, 3 << 20)
        for place in [8 << 10, 1 << 20 - 1, 1 << 20, 3 << 19, 2 << 20, good.count - 1] {
            var bytes = good
            bytes[place] ^= 1
            try bytes.write(to: file)
            let features = try cache.features(of: task, in: task.train, dataDirectory: directory)
            guard case .rebuilt = features.origin else { return XCTFail("byte \(place) may be anything") }
            XCTAssertEqual(try Data(contentsOf: file), good)
        }
    }

    func testAFileWithARightChecksumAndWrongNumbersIsBuiltAnew() throws {
        try writeRTE()
        let task = try GLUE.task(named: "rte"), cache = try cache()
        _ = try cache.features(of: task, in: task.train, dataDirectory: directory)
        let file = try XCTUnwrap(cacheFiles().first)
        let good = try Data(contentsOf: file)
        // The words of the counts, those of the first record, its label, and whether there are any: as a number of the
        // header's, and as bits of a float, a NaN and a 7.
        let wordCount = good.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8 * 8, as: UInt64.self) }
        let record = (96 + Int(wordCount) * 4 + 31) / 32 * 4
        let wrong: [(words: [Int], values: [UInt64])] = [
            (Array(7..<10) + [record, record + 2], [.max, 1 << 62, 1 << 40, UInt64(good.count)]),
            ([record + 3], [.max, UInt64(Float(7).bitPattern)]), ([10], [0, 2]),
        ]
        for (words, values) in wrong {
            for (word, value) in words.flatMap({ word in values.map { (word, $0) } }) {
                var bytes = [UInt8](good)
                bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: word * 8, as: UInt64.self) }
                try Data(bytes).write(to: file)
                let checksum = FeatureFile.checksum(try MappedFile(path: file.path))
                bytes.withUnsafeMutableBytes { $0.storeBytes(of: checksum, toByteOffset: 0, as: UInt64.self) }
                try Data(bytes).write(to: file)
                let features = try cache.features(of: task, in: task.train, dataDirectory: directory)
                // The number of rows left out is only reported: the file has nothing to hold it against.
                if word == 9, value == UInt64(good.count) { continue }
                guard case .rebuilt = features.origin else { return XCTFail("word \(word) as \(value) was believed") }
            }
        }
    }

    // MARK: Kinds of several sequences, windows and texts

    private struct Stored: Equatable {
        var example: EncodedExample
        var line: Int
    }

    private func stored(_ features: FeatureSet) -> [Stored] {
        (0..<features.count).map { index in
            features.withExample(at: index) { view in
                var start = 0
                let sequences = view.sequences.map { length, first in
                    defer { start += length }
                    return Encoding(
                        inputIDs: Array(view.inputIDs[start..<start + length]),
                        tokenTypeIDs: (0..<length).map { $0 < first ? 0 : 1 })
                }
                XCTAssertEqual(features.marks(at: index), view.marks)
                XCTAssertEqual(features.sequenceLengths(at: index), view.sequences.map(\.length))
                return Stored(example: EncodedExample(sequences: sequences, marks: view.marks), line: view.line)
            }
        }
    }

    /// A task of one of these kinds, with and without labels, and what its two rows become.
    private func tasksOfSeveralSequences() throws -> [(task: TaskDefinition, expected: [Stored], unlabelled: [Stored])] {
        let long = Array(repeating: "cat", count: 20)
        let words = [["the", "sleeps"], long]
        let list = "[" + long.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
        try write(
            #"{"words": ["the", "sleeps"], "tags": ["O", "B-x"]}"# + "\n"
                + "{\"words\": \(list), \"tags\": \(list.replacingOccurrences(of: "cat", with: "B-x"))}\n", to: "tags.jsonl")
        let context = long.joined(separator: " ") + " é."
        try write(
            #"{"question": "a", "context": "the cat", "answers": {"text": [], "answer_start": []}}"# + "\n"
                + "{\"question\": \"a\", \"context\": \"\(context)\", \"answers\": "
                + #"{"text": ["cat cat", "é"], "answer_start": [4, 80]}}"# + "\n", to: "spans.jsonl")
        try write(
            #"{"text": "a", "choices": ["cat", "dog", "the dog sleeps"], "label": 2}"# + "\n"
                + #"{"text": "the", "choices": ["cat", "dog"], "label": "cat"}"# + "\n", to: "choices.jsonl")
        try write(
            """
            tasks:
              - {name: tags, type: tagging, train: tags.jsonl, test: tags.jsonl, text: words, label: tags, labels: [O, B-x]}
              - {name: spans, type: span, no_answer: true, train: spans.jsonl, test: spans.jsonl}
              - {name: choices, type: choice, train: choices.jsonl, test: choices.jsonl, text: text, choices: choices, label: label}
            """, to: "tasks.yaml")
        let (catalogue, _) = try TaskCatalogue.reading([directory.appendingPathComponent("tasks.yaml").path])
        let encoder = ExampleEncoder(tokenizer: try TestData.tokenizer(), maxSequenceLength: 16)
        func rows(
            _ name: String, _ rows: [(texts: [RowText], choices: [RowText])], _ mark: (Int, inout [EncodedExample]) -> Void
        ) throws -> (task: TaskDefinition, expected: [Stored], unlabelled: [Stored]) {
            let task = try catalogue.task(named: name)
            var (expected, unlabelled): ([Stored], [Stored]) = ([], [])
            for (index, row) in rows.enumerated() {
                var examples = try encoder.examples(of: row.texts, choices: row.choices, kind: task.kind)
                unlabelled += examples.map { Stored(example: $0, line: index + 1) }
                mark(index, &examples)
                expected += examples.map { Stored(example: $0, line: index + 1) }
            }
            return (task, expected, unlabelled)
        }
        return [
            try rows("tags", words.map { ([.list($0)], []) }) { row, examples in
                for index in examples.indices {
                    examples[index].marks.target = examples[index].marks.alignment.map {
                        $0 < 0 ? -1 : row == 0 && $0 == 0 ? 0 : 1
                    }
                }
            },
            try rows("spans", [([.text("a"), .text("the cat")], []), ([.text("a"), .text(context)], [])]) { row, examples in
                for index in examples.indices { examples[index].marks.target = [0, 0] }
                // After [CLS] a [SEP].
                if row == 1 {
                    examples[0].marks.target = [4, 5]
                    examples[0].marks.texts += ["cat cat", "é"].map { Array($0.utf8) }
                }
            },
            try rows(
                "choices", [([.text("a")], [.list(["cat", "dog", "the dog sleeps"])]), ([.text("the")], [.list(["cat", "dog"])])]
            ) { row, examples in examples[0].marks.target = row == 0 ? [2] : [0] },
        ]
    }

    func testMarksSequencesTextsAndWindowsAreKept() throws {
        let cache = try cache()
        for (task, expected, unlabelled) in try tasksOfSeveralSequences() {
            XCTAssertEqual(expected.contains { $0.example.marks.isContinuation }, task.name != "choices")
            for origin in [FeatureSet.Origin.built, .cached] {
                let features = try cache.features(of: task, in: task.train, dataDirectory: nil)
                XCTAssertEqual(features.origin, origin, task.name)
                XCTAssertEqual(stored(features), expected, task.name)
            }
            let test = try cache.features(of: task, in: task.test[0], dataDirectory: nil)
            XCTAssertEqual(stored(test), unlabelled, task.name)
        }
    }

    func testADamagedFileOfWindowsOrChoicesIsBuiltAnew() throws {
        let cache = try cache()
        for (task, expected, _) in try tasksOfSeveralSequences() {
            let before = Set(try FileManager.default.contentsOfDirectory(atPath: directory.path)).contains("cache")
                ? Set(try cacheFiles()) : []
            _ = try cache.features(of: task, in: task.train, dataDirectory: nil)
            let file = try XCTUnwrap(Set(cacheFiles()).subtracting(before).first)
            let good = try Data(contentsOf: file)
            func assertIsBuiltAnew(_ bytes: Data, _ what: String) throws {
                try bytes.write(to: file)
                let features = try cache.features(of: task, in: task.train, dataDirectory: nil)
                guard case .rebuilt = features.origin else { return XCTFail("\(task.name): \(what) was taken for whole") }
                XCTAssertEqual(stored(features), expected)
                XCTAssertEqual(try Data(contentsOf: file), good)
            }
            for place in stride(from: 0, to: good.count, by: 19) {
                var bytes = good
                bytes[place] ^= 0x10
                try assertIsBuiltAnew(bytes, "byte \(place)")
                try assertIsBuiltAnew(good.prefix(place), "\(place) bytes")
            }
            // With a right checksum: each of the words as a number that none of those after the ids is.
            let wordCount = good.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8 * 8, as: UInt64.self) }
            for word in 0..<Int(wordCount) {
                let value = [Int32.max, -7, Int32(bitPattern: Float.nan.bitPattern)][word % 3]
                var bytes = [UInt8](good)
                bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: FeatureFile.wordOffset(word), as: Int32.self) }
                try Data(bytes).write(to: file)
                let checksum = FeatureFile.checksum(try MappedFile(path: file.path))
                bytes.withUnsafeMutableBytes { $0.storeBytes(of: checksum, toByteOffset: 0, as: UInt64.self) }
                try Data(bytes).write(to: file)
                let features = try cache.features(of: task, in: task.train, dataDirectory: nil)
                if case .rebuilt = features.origin { continue }
                // Ids and the bytes of texts may be anything, and the number of a word; nothing else may.
                let (found, kept) = (stored(features).map(\.example), expected.map(\.example))
                XCTAssertEqual(found.map(\.marks.target), kept.map(\.marks.target))
                XCTAssertEqual(found.map(\.marks.isContinuation), kept.map(\.marks.isContinuation))
                XCTAssertEqual(found.map(\.sequences.count), kept.map(\.sequences.count))
            }
            try good.write(to: file)
        }
    }

    /// Labels that a file has, and its examples lack, as of another's words.
    func testATargetThatDoesNotFitItsWordsIsNoTarget() throws {
        let kind = try Tagging(labels: ["O", "B-x"])
        func allows(_ target: [Float], _ alignment: [Int32]) -> Bool {
            kind.allows(ExampleMarks(target: target, alignment: alignment), lengths: [alignment.count])
        }
        XCTAssertTrue(allows([-1, 1, 0, -1], [-1, 0, 1, -1]))
        XCTAssertTrue(allows([], [-1, 0, 1, -1]))
        XCTAssertFalse(allows([-1, 1, -1, -1], [-1, 0, 1, -1]), "a word without a tag")
        XCTAssertFalse(allows([-1, 1, 0, 1], [-1, 0, 1, -1]), "a tag without a word")
        XCTAssertFalse(allows([-1, 2, 0, -1], [-1, 0, 1, -1]), "a tag of no label's")
    }

    func testACacheThatCannotBeWrittenIsAnError() throws {
        try writeRTE()
        try write("", to: "cache")
        let task = try GLUE.task(named: "rte")
        XCTAssertEqual(
            message { try cache().features(of: task, in: task.train, dataDirectory: directory) },
            "cannot write the feature cache <data>/cache/features: Not a directory. Choose a cache directory that can "
                + "be written.")
    }

    func testADirectoryInACacheFilesPlaceIsAnErrorAndLeavesNothingBehind() throws {
        try writeRTE()
        let task = try GLUE.task(named: "rte"), cache = try cache()
        _ = try cache.features(of: task, in: task.train, dataDirectory: directory)
        let file = try XCTUnwrap(cacheFiles().first)
        try FileManager.default.removeItem(at: file)
        try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
        let text = message { try cache.features(of: task, in: task.train, dataDirectory: directory) }
        XCTAssertTrue(text.contains(": a folder or a device has this path. "), text)
        XCTAssertEqual(try cacheFiles().map(\.lastPathComponent), [file.lastPathComponent])
    }

    func testAnErrorInTheDataIsTheFirstOneAndLeavesNothingBehind() throws {
        var text = "sentence\tlabel\n" + String(repeating: "a cat\t1\n", count: 5_000)
        text += "a dog\tbad\n" + String(repeating: "a cat\tworse\n", count: 5_000)
        try write(text, to: "SST-2/train.tsv")
        let task = try GLUE.task(named: "sst-2")
        XCTAssertEqual(
            message { try cache().features(of: task, in: task.train, dataDirectory: directory) },
            "<data>/SST-2/train.tsv:5002: unknown label \"bad\"; the labels are 0, 1.")
        XCTAssertEqual(try cacheFiles(), [])
    }
}

/// Results that several threads store, each at its own index.
private final class ConcurrentResults<Value: Sendable>: Sendable {
    private let results: Mutex<[Result<Value, any Error>?]>

    init(count: Int) {
        results = Mutex(Array(repeating: nil, count: count))
    }

    func store(_ result: Result<Value, any Error>, at index: Int) {
        results.withLock { $0[index] = result }
    }

    var all: [Result<Value, any Error>] { results.withLock { $0 }.compactMap { $0 } }
}
