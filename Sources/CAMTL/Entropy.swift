import Foundation

/// softmax of one row of logits.
public func probabilities(_ logits: some Collection<Float>) -> [Double] {
    let values = logits.map(Double.init)
    let highest = values.max() ?? 0
    let exponentials = values.map { exp($0 - highest) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
}

/// The entropy of a row's predicted distribution, relative to that of the uniform one: -Σ p ln p / (ln K + 1e-5), from 0 to
/// just below 1; 0 for a regression (K = 1).
///
/// Source: `CaMtl.calculate_entropy` of the original.
public func normalizedEntropy(_ logits: some Collection<Float>) -> Double {
    let entropy = -probabilities(logits).reduce(0) { $0 + ($1 > 0 ? $1 * log($1) : 0) }
    return entropy / (log(Double(logits.count)) + 1e-5)
}
