import Foundation

/// softmax of one row of logits.
public func probabilities(_ logits: some Collection<Float>) -> [Double] {
    let values = logits.map(Double.init)
    let highest = values.max() ?? 0
    let exponentials = values.map { exp($0 - highest) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
}

/// -ln p of a class in softmax of one row of logits.
func crossEntropy(_ logits: some Collection<Float>, class index: Int) -> Double {
    let values = logits.map(Double.init)
    let probability = probabilities(logits)[index]
    if probability > 0 { return -log(probability) }
    // That of a far logit is 0; the logarithm of the sum is not.
    let highest = values.max() ?? 0
    return highest + log(values.reduce(0) { $0 + exp($1 - highest) }) - values[index]
}

/// The entropy of a row's predicted distribution, -Σ p ln p, in nats; 0 for a regression, which has one logit.
public func entropy(_ logits: some Collection<Float>) -> Double {
    -probabilities(logits).reduce(0) { $0 + ($1 > 0 ? $1 * log($1) : 0) }
}

/// A row's entropy relative to that of the uniform distribution over its K labels: H / (ln K + 1e-5), from 0 to just
/// below 1.
///
/// Source: `CaMtl.calculate_entropy` of the original.
public func normalizedEntropy(_ logits: some Collection<Float>) -> Double {
    Uncertainty(entropy: entropy(logits), classes: logits.count).normalized
}
