import CTorch

/// The 2-norm of the gradients of all parameters together, on their device: a tensor of no dimensions, or nil where
/// there are no gradients.
public func gradientNorm(_ parameters: [Parameter]) throws -> Tensor? {
    let gradients = try parameters.compactMap { try $0.wrappedValue.gradient() }
    guard !gradients.isEmpty else { return nil }
    // An array may be released after its last use in Swift; the handles in C need it until the end.
    return try withExtendedLifetime(gradients) {
        try Tensor(ct_total_norm(gradients.map { Optional($0.handle) }, gradients.count))
    }
}

/// What gradients of the 2-norm `norm` are multiplied by so that their norm is at most `maximum`, as
/// `torch.nn.utils.clip_grad_norm_` does: maximum / (norm + 1e-6) where that is below 1.
public func clippingFactor(norm: Double, maximum: Double) -> Double { min(1, maximum / (norm + 1e-6)) }
