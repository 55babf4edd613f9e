import Downloads
import Foundation

/// Where a model lies that is given by a folder or a hub's name.
enum ModelLocation {
    /// A folder as it is, or a model of that name in the Hugging Face cache, into which it is downloaded if need be.
    static func folder(named name: String) throws -> URL {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: name, isDirectory: &isFolder) {
            guard isFolder.boolValue else { throw CommandError("\(name): this is a file; a model is a folder") }
            return URL(fileURLWithPath: name)
        }
        guard let model = ModelName(name) else { throw unknown(name) }
        let models = HubModels(try HubSettings(), report: DownloadRenderer().render)
        if let cached = models.cachedFolder(for: model) { return cached }
        guard model.isOnHub else { throw unknown(name) }
        return try models.folder(for: model)
    }

    private static func unknown(_ name: String) -> CommandError {
        CommandError(
            "\(name): there is no such folder, and no model of that name in the Hugging Face cache; give a folder with "
                + "config.json, vocab.txt and model.safetensors, a model of the hub as OWNER/NAME or "
                + "OWNER/NAME@REVISION, or one of "
                + (["CA-MTL-base", "CA-MTL-large"] + ModelName.knownEncoders).joined(separator: ", "))
    }
}
