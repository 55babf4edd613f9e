import Downloads
import Foundation

/// Where a model lies that is given by a folder or a hub's name.
enum ModelLocation {
    case folder(URL)
    /// On the hub, from which it has to be downloaded.
    case hub(ModelName, HubModels)

    /// Looks for the model on this machine: a folder as it is, or the name's model in the Hugging Face cache.
    init(named name: String) throws {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: name, isDirectory: &isFolder) {
            guard isFolder.boolValue else { throw CommandError("\(name): this is a file; a model is a folder") }
            self = .folder(URL(fileURLWithPath: name))
            return
        }
        guard let model = ModelName(name) else { throw ModelLocation.unknown(name) }
        let models = HubModels(try HubSettings(), report: DownloadRenderer().render)
        if let cached = models.cachedFolder(for: model) {
            self = .folder(cached)
        } else if model.isOnHub {
            self = .hub(model, models)
        } else {
            throw ModelLocation.unknown(name)
        }
    }

    /// The model's folder, into which it is downloaded if need be.
    func folder() throws -> URL {
        switch self {
        case .folder(let folder): folder
        case .hub(let name, let models): try models.folder(for: name)
        }
    }

    private static func unknown(_ name: String) -> CommandError {
        CommandError(
            "\(name): there is no such folder, and no model of that name in the Hugging Face cache; give a folder with "
                + "config.json, vocab.txt and model.safetensors, a model of the hub as OWNER/NAME or "
                + "OWNER/NAME@REVISION, or one of "
                + (["CA-MTL-base", "CA-MTL-large"] + ModelName.knownEncoders).joined(separator: ", "))
    }
}
