import Files

extension JSONText {
    /// The value at a path of keys, from the outermost object on; where the path meets a list it goes into each of the
    /// list's elements, and the values are a list.
    ///
    /// - Returns: nil if there is no such value, in no element of a list either.
    /// - Throws: `DataFileError.Problem` if some elements of a list have it and others don't.
    func value(at path: [String]) throws(DataFileError.Problem) -> JSONText? {
        try value(at: path, from: 0)
    }

    private func value(at path: [String], from depth: Int) throws(DataFileError.Problem) -> JSONText? {
        guard depth < path.count else { return self }
        guard let elements else { return try self[path[depth]]?.value(at: path, from: depth + 1) }
        var (values, missing) = ([JSONText](), Int?.none)
        for (index, element) in elements.enumerated() {
            if let value = try element.value(at: path, from: depth), !value.isNull {
                values.append(value)
            } else {
                missing = missing ?? index
            }
        }
        guard let missing else { return .array(values) }
        if values.isEmpty { return nil }
        throw .missingField(
            name: path[..<depth].joined(separator: ".") + "[\(missing)]." + path[depth...].joined(separator: "."))
    }
}
