/// Assembles pickles, and checkpoints in the format before PyTorch 1.6 around them.
enum PickleAssembler {
    static let none: [UInt8] = Array("N".utf8)

    static func text(_ text: String) -> [UInt8] {
        Array("X".utf8) + littleEndian(UInt32(text.utf8.count)) + Array(text.utf8)
    }

    static func integer(_ value: Int) -> [UInt8] {
        [0x8A, 8] + littleEndian(value)
    }

    static func global(_ module: String, _ name: String) -> [UInt8] {
        Array("c\(module)\n\(name)\n".utf8)
    }

    static func tuple(_ items: [UInt8]...) -> [UInt8] {
        Array("(".utf8) + items.joined() + Array("t".utf8)
    }

    static func dictionary(_ items: [UInt8]...) -> [UInt8] {
        Array("}(".utf8) + items.joined() + Array("u".utf8)
    }

    static func storage(
        _ key: String = "s", type: String = "FloatStorage", count: Int = 4, view: [UInt8] = none
    ) -> [UInt8] {
        tuple(text("storage"), global("torch", type), text(key), text("cpu"), integer(count), view) + Array("Q".utf8)
    }

    static func tensor(
        in storage: [UInt8] = storage(), offset: Int = 0, shape: [Int], strides: [Int], metadata: [UInt8] = []
    ) -> [UInt8] {
        let sizes = Array("(".utf8) + shape.flatMap(integer) + Array("t".utf8)
        let steps = Array("(".utf8) + strides.flatMap(integer) + Array("t".utf8)
        let hooks = global("collections", "OrderedDict") + tuple() + Array("R".utf8)
        return global("torch._utils", "_rebuild_tensor_v2")
            + tuple(storage, integer(offset), sizes, steps, none, hooks, metadata) + Array("R".utf8)
    }

    /// A checkpoint whose object is that of the pickle `root`, with the storages `keys` of four floats: 0, 1, 2, 3.
    static func checkpoint(_ root: [UInt8], keys: [String] = ["s"]) -> [UInt8] {
        let magicNumber: [UInt8] = [0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
        let list = Array("](".utf8) + keys.flatMap(text) + Array("e".utf8)
        let pickles = [magicNumber, integer(1001), dictionary(), root, list].map { [0x80, 2] + $0 + Array(".".utf8) }
        let data = littleEndian(4) + [Float(0), 1, 2, 3].flatMap { littleEndian($0.bitPattern) }
        return Array(pickles.joined()) + keys.flatMap { _ in data }
    }

    private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
