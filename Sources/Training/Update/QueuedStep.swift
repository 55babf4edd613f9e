import Torch

/// An update that a device has been given to make, of which it may not have told yet.
struct QueuedStep {
    enum Norm {
        case known(Double)
        case read(Readback)
    }

    /// Updates made by then, this one included.
    let number: Int
    let learningRate: Double
    /// Whether it was left out: see `Updater.Step`.
    let isSkipped: Bool
    let norm: Norm

    /// The norm of the gradients before clipping.
    ///
    /// - Parameter wait: waits for a number and gives it.
    /// - Throws: `TrainingError.gradientNotFinite` where the device has not made the update.
    func gradientNorm(_ wait: (Readback) throws -> Tensor) throws -> Double {
        switch norm {
        case .known(let value): return value
        case .read(let readback):
            let value = try wait(readback).item()
            guard value.isFinite else { throw TrainingError.gradientNotFinite(step: number) }
            return value
        }
    }
}
