import CTorch

/// Scales the gradients so that their 2-norm over all parameters is at most `maximum`, as
/// `torch.nn.utils.clip_grad_norm_` does: by maximum / (norm + 1e-6) where that is below 1.
/// - Returns: the norm before.
@discardableResult
public func clipGradientNorm(_ parameters: [Parameter], maximum: Double) throws -> Double {
    let gradients = try parameters.compactMap { try $0.wrappedValue.gradient() }
    guard !gradients.isEmpty else { return 0 }
    // An array may be released after its last use in Swift; the handles in C need it until the end.
    return try withExtendedLifetime(gradients) {
        let handles = gradients.map { Optional($0.handle) }
        let norm = try Tensor(ct_total_norm(handles, handles.count)).item()
        let scale = maximum / (norm + 1e-6)
        if scale < 1 { try Tensor.check(ct_multiply_all_in_place(handles, handles.count, scale)) }
        return norm
    }
}
