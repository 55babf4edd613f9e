import ArgumentParser
@preconcurrency import Dispatch
import Foundation
import Synchronization
import Training

/// SIGINT and SIGTERM: training stops after the update at hand, with a checkpoint; anything else ends at once, as does
/// training at the second signal.
final class StopSignals: Sendable {
    private let received = Atomic<Int32>(0)
    private let isTraining = Atomic<Bool>(false)
    private let sources: [any DispatchSourceSignal]

    init() {
        let queue = DispatchQueue(label: "signals")
        sources = [SIGINT, SIGTERM].map { number in
            // Its default action would end the process before the source hears of it.
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: queue)
        }
        for (source, number) in zip(sources, [SIGINT, SIGTERM]) {
            source.setEventHandler { [weak self] in self?.receive(number) }
            source.resume()
        }
    }

    /// Whether training is to stop.
    var isStopRequested: Bool { received.load(ordering: .relaxed) != 0 }

    /// What a shell expects of a process that a signal ended; SIGTERM, where it was another process's.
    var exitCode: ExitCode {
        let signal = received.load(ordering: .relaxed)
        return ExitCode(128 + (signal == 0 ? SIGTERM : signal))
    }

    /// Keeps count of whether the run is training.
    func note(_ event: RunEvent) throws {
        switch event {
        case .training(.started): isTraining.store(true, ordering: .relaxed)
        case .trained:
            isTraining.store(false, ordering: .relaxed)
            if isStopRequested {
                StopSignals.say("stopped after the end of training; the model is saved")
                throw exitCode
            }
        default: break
        }
    }

    private func receive(_ number: Int32) {
        let isFirst = received.exchange(number, ordering: .relaxed) == 0
        guard isFirst, isTraining.load(ordering: .relaxed) else {
            StopSignals.say("stopped")
            _exit(128 + number)
        }
        StopSignals.say("stopping after this step; again to stop at once")
    }

    private static func say(_ text: String) {
        writeToStandardError("camtl: \(text)\n")
    }
}
