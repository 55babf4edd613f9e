import CAMTL
import Dispatch
import Synchronization
import Torch

/// Draws what a run trains on and makes it ready for the model: the next draw on a thread of its own, while the model
/// is busy with the one before. What it gives, and in what order, depends on the sampler alone.
final class BatchSource: Sendable {
    /// A draw, ready for the model.
    enum Content: Sendable {
        case batch([ExampleReference], TrainingBatch)
        case candidates(CandidatePool)
    }

    private struct State {
        var sampler: Sampler
        /// What has been made ready, with the sampler's place after it.
        var next: (content: Content, place: Sampler.Place)?
        /// The sampler's place after the last draw that was given.
        var place: Sampler.Place
    }

    let batchesPerEpoch: Int
    private let data: TrainingSets
    private let settings: TrainingSettings
    private let share: Share
    private let pieceTokens: Int
    private let state: Mutex<State>
    private let queue = DispatchQueue(label: "batches")

    /// - Parameters:
    ///   - tasks: those to train on, with their training sets.
    ///   - settings: how they are drawn from.
    ///   - share: the part of each batch that is made ready.
    ///   - device: what computes on them.
    init(_ tasks: [TaskData], settings: TrainingSettings, share: Share = .whole, device: Device = .cpu) {
        let data = TrainingSets(tasks)
        let sampler = Sampler(
            settings.sampling, sizes: tasks.compactMap { task in task.train.map { (task.id, $0.count) } },
            batchSize: settings.batchSize, seed: settings.seed,
            lengths: settings.groupsByLength ? data.length : nil)
        self.data = data
        self.settings = settings
        self.share = share
        pieceTokens = PackedBatch.pieceTokens(on: device)
        batchesPerEpoch = sampler.batchesPerEpoch
        state = Mutex(State(sampler: sampler, place: sampler.place))
    }

    /// How far the run has come: behind the last draw that was given, whatever has been made ready. Setting it makes
    /// the source of a run of the same settings go on from there.
    var place: Sampler.Place {
        get { state.withLock(\.place) }
        set {
            state.withLock { state in
                state.sampler.place = newValue
                state.place = newValue
                state.next = nil
            }
        }
    }

    /// The place once `batch` batches (1…`batchesPerEpoch`) of an epoch are given, after `epoch` whole ones.
    func place(epoch: Int, batch: Int) -> Sampler.Place {
        state.withLock { $0.sampler.place(epoch: epoch, batch: batch) }
    }

    /// The next draw; the one after it is then begun on.
    func next() -> Content {
        defer { queue.async { self.state.withLock { self.makeReady(&$0) } } }
        return state.withLock { state in
            makeReady(&state)
            guard let next = state.next else { preconditionFailure("a draw has just been made ready") }
            state.next = nil
            state.place = next.place
            return next.content
        }
    }

    /// Makes the next draw ready, if none is.
    private func makeReady(_ state: inout State) {
        guard state.next == nil else { return }
        // What an epoch looks at would else add up to all of the data.
        defer { data.releasePages() }
        let content: Content
        switch state.sampler.next() {
        case .batch(let examples):
            content = .batch(
                examples,
                TrainingBatch(examples, data: data, share: share, cutsLabels: settings.reproducesOriginal))
        case .candidates(let examples):
            content = .candidates(
                CandidatePool(
                    examples, data: data, pieceSize: settings.evaluationBatchSize, pieceTokens: pieceTokens,
                    share: share))
        }
        state.next = (content, state.sampler.place)
    }

    /// The batch of examples that were picked from candidates.
    func batch(of picks: [ExampleReference]) -> TrainingBatch { TrainingBatch(picks, data: data, share: share) }
}
