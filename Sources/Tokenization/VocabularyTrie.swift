/// The tokens of a vocabulary as a double-array trie over their UTF-8 bytes.
///
/// A node is one word of 64 bits: its label (the byte that leads to it, bits 0–7, with bit 8 set in every node), its
/// base (bits 9–35) and its token's id plus 1 (bits 36–63, 0 where no token ends). The child along byte `b` lies at
/// `base ^ b`, hence in the same block of 256 as its siblings. No two nodes share a base, so a matching label is enough
/// to tell a child from a stranger. Block 0 stays empty: it is the base of nodes without children.
struct VocabularyTrie: Sendable {
    /// A node, copied out of the array; `none` where a walk has left the trie.
    struct Node {
        static let none = Node(bits: 0)
        var bits: UInt64

        /// The id of the token that ends here.
        @inline(__always) var id: Int32? {
            let stored = bits >> 36
            return stored == 0 ? nil : Int32(truncatingIfNeeded: stored &- 1)
        }

        @inline(__always) var base: Int { Int(truncatingIfNeeded: (bits >> 9) & 0x7FF_FFFF) }

        @inline(__always) func child(along byte: UInt8, in nodes: UnsafeBufferPointer<Node>) -> Node {
            let node = nodes[base ^ Int(byte)]
            return node.bits & 0x1FF == 0x100 | UInt64(byte) ? node : .none
        }
    }

    private static let nodeLimit = 1 << 27
    private static let tokenLimit = (1 << 28) - 1

    private let nodes: [Node]
    private let root: Node

    /// Indexes the tokens: token `i` is `text[tokens[i]]` and has id `i`. Empty tokens are left out; of equal tokens
    /// the last counts. Throws `TokenizationError.vocabularyTooLarge` when 27 bits can't number the nodes or 28 bits
    /// the tokens.
    init(text: [UInt8], tokens: [Range<Int>]) throws {
        guard tokens.count <= Self.tokenLimit else { throw TokenizationError.vocabularyTooLarge(tokens: tokens.count) }
        let sorted = tokens.indices.filter { !tokens[$0].isEmpty }.sorted {
            text[tokens[$0]].lexicographicallyPrecedes(text[tokens[$1]])
        }
        var builder = Builder()
        // The root is built as the child along byte 0 of a node outside the array.
        let rootIndex = builder.place([0])
        var pending = [(tokens: sorted[...], depth: 0, index: rootIndex, label: UInt8(0))]
        while let (group, depth, index, label) = pending.popLast() {
            let ending = group.prefix { tokens[$0].count == depth }
            let id = ending.max()
            let children = Self.split(group.dropFirst(ending.count)) { text[tokens[$0].lowerBound + depth] }
            let base = children.isEmpty ? 0 : builder.place(children.map(\.label))
            guard base < Self.nodeLimit else { throw TokenizationError.vocabularyTooLarge(tokens: tokens.count) }
            builder.nodes[index] = Node(
                bits: 0x100 | UInt64(label) | UInt64(base) << 9 | UInt64(id.map { $0 + 1 } ?? 0) << 36)
            for child in children.reversed() {
                pending.append((child.group, depth + 1, base ^ Int(child.label), child.label))
            }
        }
        nodes = builder.nodes
        root = nodes[rootIndex]
    }

    /// The trie's parts, valid within `withPointers`.
    struct Pointers {
        let nodes: UnsafeBufferPointer<Node>
        let root: Node
    }

    func withPointers<Result>(_ body: (Pointers) -> Result) -> Result {
        nodes.withUnsafeBufferPointer { body(Pointers(nodes: $0, root: root)) }
    }

    /// The node that the bytes lead to.
    func node(at bytes: some Sequence<UInt8>) -> Node {
        withPointers { trie in
            bytes.reduce(trie.root) { $0.child(along: $1, in: trie.nodes) }
        }
    }

    /// Runs of neighbours with the same label.
    private static func split(
        _ group: ArraySlice<Int>, by label: (Int) -> UInt8
    ) -> [(label: UInt8, group: ArraySlice<Int>)] {
        var runs: [(label: UInt8, group: ArraySlice<Int>)] = []
        var rest = group
        while let first = rest.first {
            let shared = label(first)
            let run = rest.prefix { label($0) == shared }
            runs.append((shared, run))
            rest = rest.dropFirst(run.count)
        }
        return runs
    }
}

extension VocabularyTrie {
    /// Finds room for nodes: first fit in the youngest blocks, else a new block.
    private struct Builder {
        /// Older blocks are nearly full; searching them costs time and saves little.
        static let openBlockLimit = 16

        var nodes = [Node](repeating: .none, count: 256)
        private var isTaken = [Bool](repeating: true, count: 256)
        private var isBase = [Bool](repeating: true, count: 256)
        private var openBlocks: [Int] = []

        /// Reserves the places of a node's children and returns the node's base.
        mutating func place(_ labels: [UInt8]) -> Int {
            for block in openBlocks.reversed() {
                for slot in block..<block + 256 where !isTaken[slot] {
                    let base = slot ^ Int(labels[0])
                    if !isBase[base], labels.allSatisfy({ !isTaken[base ^ Int($0)] }) {
                        return reserve(base, labels)
                    }
                }
            }
            let block = nodes.count
            nodes.append(contentsOf: repeatElement(.none, count: 256))
            isTaken.append(contentsOf: repeatElement(false, count: 256))
            isBase.append(contentsOf: repeatElement(false, count: 256))
            openBlocks.append(block)
            if openBlocks.count > Self.openBlockLimit { openBlocks.removeFirst() }
            return reserve(block, labels)
        }

        private mutating func reserve(_ base: Int, _ labels: [UInt8]) -> Int {
            isBase[base] = true
            for label in labels { isTaken[base ^ Int(label)] = true }
            return base
        }
    }
}
