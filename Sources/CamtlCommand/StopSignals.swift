import ArgumentParser
@preconcurrency import Dispatch
import Foundation
import Synchronization
import Training

/// The signals that tell a run to stop: training stops after the update at hand, with a checkpoint; anything else ends
/// at once.
final class StopSignals: Sendable {
    /// What a person sends, or a launcher that ends all: the second one of these does not wait for the checkpoint.
    private static let demands = [SIGINT, SIGTERM]
    /// What a terminal that is closed sends, a cluster (Slurm's `--signal`, Grid Engine's `-notify`) and a limit on the
    /// processor's time (`ulimit -t`), and all of them more than once: none of these ends a run that is about to save.
    private static let requests = [SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU]

    /// The first signal; 0 before it.
    private let received = Atomic<Int32>(0)
    private let hasDemand = Atomic<Bool>(false)
    private let isTraining = Atomic<Bool>(false)
    private let sources: [any DispatchSourceSignal]

    init() {
        let queue = DispatchQueue(label: "signals")
        let numbers = (StopSignals.demands + StopSignals.requests).filter { number in
            // The default action would end the process before the source hears of the signal.
            let former = signal(number, SIG_IGN)
            let wasIgnored = unsafeBitCast(former, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
            // Under nohup it is the user who wants it to be ignored. A shell's background job has SIGINT ignored
            // without that.
            return !wasIgnored || StopSignals.demands.contains(number)
        }
        sources = numbers.map { DispatchSource.makeSignalSource(signal: $0, queue: queue) }
        for (source, number) in zip(sources, numbers) {
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
        let isFirst = received.compareExchange(expected: 0, desired: number, ordering: .relaxed).exchanged
        let isDemand = StopSignals.demands.contains(number)
        let isSecondDemand = isDemand && hasDemand.exchange(true, ordering: .relaxed)
        guard isTraining.load(ordering: .relaxed), !isSecondDemand else {
            StopSignals.say("stopped")
            _exit(128 + number)
        }
        if isDemand {
            StopSignals.say("stopping after this step; again to stop at once")
        } else if isFirst {
            StopSignals.say("stopping after this step")
        }
    }

    private static func say(_ text: String) {
        writeToStandardError("camtl: \(text)\n")
    }
}
