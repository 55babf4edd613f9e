/// What a new parameter holds before anything is loaded or trained.
public enum Initializer: Sendable, Equatable {
    case zeros
    case ones
    /// Mean 0.
    case normal(std: Double)
}

/// A trainable tensor of a module, declared with the name it has in checkpoints:
///
///     @Parameter("weight") public var weight: Tensor
///
/// The module's initialiser declares shape and initial values; memory is taken when `Module.materialize` fills it.
@propertyWrapper
public final class Parameter {
    public let name: String
    public private(set) var shape: [Int] = []
    public private(set) var initializer = Initializer.zeros
    private var prefersSparseGradient = false
    private var value: Tensor?

    public init(_ name: String) { self.name = name }

    public var wrappedValue: Tensor {
        guard let value else { preconditionFailure("the parameter \(name) is used before it is materialized") }
        return value
    }

    public func declare(_ shape: [Int], _ initializer: Initializer, hasSparseGradient: Bool = false) {
        self.shape = shape
        self.initializer = initializer
        prefersSparseGradient = hasSparseGradient
    }

    /// Whether its gradient has only the rows that were read. On other devices than the CPU it has all: to count those
    /// that were read the processor would wait for the device.
    public var hasSparseGradient: Bool { prefersSparseGradient && value?.device ?? .cpu == .cpu }

    /// Gives the parameter its memory: a leaf that requires a gradient.
    public func materialize(_ tensor: Tensor) throws {
        guard tensor.shape == shape else {
            throw TorchError("the parameter \(name) has shape \(shape), not \(tensor.shape)")
        }
        try tensor.setRequiresGradient(true)
        value = tensor
    }

    public var elementCount: Int { shape.reduce(1, *) }

    /// Whether training changes it.
    public var isTrainable: Bool { wrappedValue.requiresGradient }

    public func setTrainable(_ flag: Bool) throws { try wrappedValue.setRequiresGradient(flag) }
}

/// A module inside a module, or a list of them or none, declared with the name it has in checkpoints. Entries of a
/// list are called `name.0`, `name.1` …; under the name "" a module's parameters stand among those of the module
/// around it.
@propertyWrapper
public final class Child<Value> {
    public let name: String
    private var value: Value?

    public init(_ name: String) { self.name = name }

    public var wrappedValue: Value {
        get {
            guard let value else { preconditionFailure("the module \(name) is used before it is set") }
            return value
        }
        set { value = newValue }
    }
}

/// A part of a model: parameters and modules with names.
open class Module {
    /// Called with what the module computed, each time it did: for probing a model. Found by name with `namedModules`.
    public var observer: ((Tensor) -> Void)?

    public init() {}

    /// Shows a module's output to its observer, and returns it.
    @discardableResult
    public final func observed(_ output: Tensor) -> Tensor {
        observer?(output)
        return output
    }

    /// The parameters here and below with their full names, in the order of declaration.
    public func namedParameters() -> [(name: String, parameter: Parameter)] {
        namedModules().flatMap { path, module in
            module.members(Parameter.self).map { (join(path, $0.name), $0) }
        }
    }

    /// This module, under the name "", and those below with their full names.
    public func namedModules() -> [(name: String, module: Module)] {
        var result: [(name: String, module: Module)] = [("", self)]
        for member in members((any ModuleMember).self) {
            for (name, module) in member.modules {
                result += module.namedModules().map { (join(name, $0.name), $0.module) }
            }
        }
        return result
    }

    private func members<Member>(_: Member.Type) -> [Member] {
        var result: [Member] = []
        var mirror: Mirror? = Mirror(reflecting: self)
        while let level = mirror {
            result += level.children.compactMap { $0.value as? Member }
            mirror = level.superclassMirror
        }
        return result
    }
}

private func join(_ path: String, _ name: String) -> String {
    path.isEmpty ? name : name.isEmpty ? path : path + "." + name
}

/// What `Module.namedModules` finds among a module's stored properties.
private protocol ModuleMember {
    var modules: [(name: String, module: Module)] { get }
}

extension Child: ModuleMember {
    fileprivate var modules: [(name: String, module: Module)] {
        switch wrappedValue as Any {
        case let module as Module: [(name, module)]
        case let modules as [Module]: modules.enumerated().map { ("\(name).\($0)", $1) }
        default: []
        }
    }
}

extension Module {
    /// Gives every parameter that `provide` has no tensor for its initial values.
    ///
    /// The values of a parameter depend on `seed` and its name alone, so that another task or layer leaves them as
    /// they are.
    public func materialize(
        seed: UInt64, dtype: DType = .float32, device: Device = .cpu,
        provide: (_ name: String, _ parameter: Parameter) throws -> Tensor? = { _, _ in nil }
    ) throws {
        for (name, parameter) in namedParameters() {
            let tensor = try provide(name, parameter) ?? parameter.initialValues(seed: seed, name: name)
            try parameter.materialize(tensor.to(dtype, device: device))
        }
    }
}

extension Parameter {
    fileprivate func initialValues(seed: UInt64, name: String) throws -> Tensor {
        switch initializer {
        case .zeros: try Tensor.zeros(shape)
        case .ones: try Tensor.full(shape, 1)
        case .normal(let std): try Tensor.normal(shape, std: std, seed: streamSeed(seed, name))
        }
    }
}
