#!/usr/bin/env python3
"""Runs the tests of a built bundle in several processes at once, and says at the end how all of them went.

    python3 Scripts/run_tests.py [-j PROCESSES] [--times FILE] [--only WORD ...] [--leave-out NAME ...]
        -- BUNDLE [SCRIPT.py ...]

Each test class of the bundle runs in a process of its own, and so does each SCRIPT, whose tests are unittest's. What
one prints is shown when it has ended, in one piece. Those that took longest in the last run, of which FILE keeps the
times, start first; where FILE doesn't know one, Tests/times.txt may. --only chooses the tests with such a WORD in their
name, Target.Class/test, and no script. --leave-out leaves out a test or a class of that NAME, which has to be there.

The last line is XCTest's, "Executed … tests, with … failures", over all of them. The exit status is 1 if a test
failed, or a process ended otherwise than by its tests.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, Optional

HINTS = Path(__file__).resolve().parent.parent / "Tests/times.txt"
# Of a class that no file of times knows: it starts before the many short ones, and after those known to be long.
UNKNOWN_SECONDS = 10.0

TEST = re.compile(r"\w+\.\w+/\w+")
STARTED = re.compile(r"^Test Case '(.+)' started at ", re.MULTILINE)
ENDED = re.compile(r"^Test Case '(.+)' (?:passed|failed|skipped) \(", re.MULTILINE)
# What XCTest says of the selection, around what it says of the class.
SELECTION = re.compile(
    r"^Test Suite '(?:Selected tests|[^']+\.xctest)' .*\n(?:\t Executed .*\n)?", re.MULTILINE)
SUM = re.compile(
    r"^\t Executed (\d+) tests?, with (?:(\d+) tests? skipped and )?(\d+) failures? \((\d+) unexpected\) in ([\d.]+) ",
    re.MULTILINE)
UNITTEST_SUM = re.compile(r"^Ran (\d+) tests? in ([\d.]+)s\n\n(?:OK|FAILED)(?: \((.*)\))?$", re.MULTILINE)


@dataclass
class Tally:
    """What XCTest counts."""

    tests: int = 0
    skipped: int = 0
    failures: int = 0
    unexpected: int = 0
    seconds: float = 0

    def add(self, other: Tally) -> None:
        self.tests += other.tests
        self.skipped += other.skipped
        self.failures += other.failures
        self.unexpected += other.unexpected
        self.seconds += other.seconds

    def line(self, seconds: float) -> str:
        def count(number: int, noun: str) -> str:
            return f"{number} {noun}" + ("" if number == 1 else "s")

        skipped = f"{count(self.skipped, 'test')} skipped and " if self.skipped else ""
        return (
            f"Executed {count(self.tests, 'test')}, with {skipped}{count(self.failures, 'failure')} "
            f"({self.unexpected} unexpected) in {self.seconds:.3f} ({seconds:.3f}) seconds")


@dataclass
class Job:
    """A process with tests: those of a class, or a script's."""

    name: str
    command: list[str]
    # The names of a class's tests; a script's are not known before.
    tests: list[str] = field(default_factory=list)


@dataclass
class Result:
    """How a job ended."""

    job: Job
    text: str
    tally: Tally
    # Why that was no ordinary end of its tests, or None.
    fault: Optional[str]
    seconds: float
    processor_seconds: float

    @property
    def failed(self) -> bool:
        return self.fault is not None or self.tally.failures > 0


def run(job: Job) -> Result:
    with tempfile.TemporaryFile() as output:
        start = time.monotonic()
        process = subprocess.Popen(
            job.command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        _, state, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = -os.WTERMSIG(state) if os.WIFSIGNALED(state) else os.WEXITSTATUS(state)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if job.tests:
        text = SELECTION.sub("", text)
    tally, fault = (read_class if job.tests else read_script)(job, text, process.returncode, seconds)
    if fault:
        tally.failures += 1
        tally.unexpected += 1
    return Result(job, text.strip("\n"), tally, fault, seconds, usage.ru_utime + usage.ru_stime)


def read_class(job: Job, text: str, status: int, seconds: float) -> tuple[Tally, Optional[str]]:
    """What a class's process says of its tests, and what is wrong with how it ended."""
    sums = SUM.findall(text)
    if not sums:
        begun, ended = STARTED.findall(text), ENDED.findall(text)
        where = "".join(f" in {test}" for test in begun[-1:] if test not in ended)
        return Tally(len(begun), seconds=seconds), (
            f"its process {end(status)}{where}, after {len(ended)} of {len(job.tests)} tests")
    tests, skipped, failures, unexpected, inside = sums[-1]
    tally = Tally(int(tests), int(skipped or 0), int(failures), int(unexpected), float(inside))
    if tally.tests != len(job.tests):
        return tally, f"{tally.tests} of its {len(job.tests)} tests ran"
    if (status != 0) != (tally.failures > 0):
        return tally, f"with {tally.failures} failures its process {end(status)}"
    return tally, None


def read_script(job: Job, text: str, status: int, seconds: float) -> tuple[Tally, Optional[str]]:
    """The same of a script of unittest's."""
    found = UNITTEST_SUM.search(text)
    if not found:
        return Tally(seconds=seconds), f"its process {end(status)}"
    counts = dict(re.findall(r"(\w+)=(\d+)", found[3] or ""))
    failures, errors = int(counts.get("failures", 0)), int(counts.get("errors", 0))
    tally = Tally(int(found[1]), int(counts.get("skipped", 0)), failures + errors, errors, float(found[2]))
    if (status != 0) != (tally.failures > 0):
        return tally, f"with {tally.failures} failures its process {end(status)}"
    return tally, None


def end(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"


def show(result: Result) -> None:
    print(result.text, flush=True)
    if result.fault:
        print(f"error: {result.job.name}: {result.fault}", flush=True)


def jobs_of(bundle: Path, words: list[str], left_out: list[str]) -> list[Job]:
    """The bundle's tests by their classes: those with one of the words in their names, less those left out by name."""
    listing = subprocess.run(
        [str(bundle), "--list-tests"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    if listing.returncode != 0:
        sys.exit(f"run_tests.py: {bundle} doesn't list its tests: {listing.stderr.strip()}")
    tests = [line for line in map(str.strip, listing.stdout.splitlines()) if TEST.fullmatch(line)]
    unknown = set(left_out).difference(tests, [test.split("/")[0] for test in tests])
    if unknown:
        sys.exit(f"run_tests.py: no test or class is called {', '.join(sorted(unknown))}")
    classes: dict[str, list[str]] = {}
    for test in tests:
        name = test.split("/")[0]
        if not {test, name}.intersection(left_out) and (not words or any(word in test for word in words)):
            classes.setdefault(name, []).append(test)
    return [Job(name, [str(bundle), ",".join(tests)], tests) for name, tests in classes.items()]


def read_times(paths: Iterable[Optional[Path]]) -> dict[str, float]:
    """Seconds by name, one to a line; later files go before earlier ones, and lines that are none are passed over."""
    times: dict[str, float] = {}
    for path in paths:
        with contextlib.suppress(OSError):
            for line in path.read_text().splitlines() if path else []:
                words = line.split()
                with contextlib.suppress(ValueError):
                    if len(words) == 2:
                        times[words[1]] = float(words[0])
    return times


def write_times(path: Path, times: dict[str, float]) -> None:
    lines = sorted(times.items(), key=lambda item: (-item[1], item[0]))
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    # A run is none the worse for a folder that can't be written to.
    with contextlib.suppress(OSError):
        temporary.write_text("".join(f"{seconds:.1f} {name}\n" for name, seconds in lines))
        temporary.replace(path)


def run_all(jobs: list[Job], processes: int, times: dict[str, float]) -> list[Result]:
    """Runs all jobs, the longest first, and shows each when it has ended."""
    waiting = sorted(jobs, key=lambda job: (times.get(job.name, UNKNOWN_SECONDS), job.name))
    results: list[Result] = []
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                job = waiting.pop()
            result = run(job)
            with lock:
                show(result)
                results.append(result)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if len(results) != len(jobs):
        sys.exit("run_tests.py: a process could not be started or watched; see above")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-j", dest="processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--times", type=Path)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD")
    parser.add_argument("--leave-out", nargs="+", default=[], metavar="NAME")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("scripts", nargs="*", metavar="script")
    given = parser.parse_args()
    start = time.monotonic()
    jobs = jobs_of(given.bundle.resolve(), given.only, given.leave_out)
    if not given.only:
        jobs += [Job(Path(script).stem, [sys.executable, script]) for script in given.scripts]
    if not jobs:
        sys.exit("run_tests.py: there is no such test")
    times = read_times([HINTS, given.times])
    # Threads that wait for one another spin only briefly, as in the program itself: the processes share the cores.
    # (Programs that tests start don't see it.)
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        results = run_all(jobs, max(1, given.processes), times)
    except KeyboardInterrupt:
        sys.exit(130)
    if given.times:
        write_times(given.times, {**times, **{result.job.name: result.seconds for result in results}})
    total = Tally()
    for result in results:
        total.add(result.tally)
    failed = sorted(result.job.name for result in results if result.failed)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    print(f"Test Suite 'All tests' {'failed' if failed else 'passed'}")
    print(f"\t {total.line(time.monotonic() - start)}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
