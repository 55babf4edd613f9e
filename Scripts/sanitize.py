#!/usr/bin/env python3
"""Runs the tests under a sanitizer, and shows what it finds.

    python3 Scripts/sanitize.py address|undefined|thread FOLDER BUILD [FLAG ...]

FOLDER has fault, a program that has to be found out; BUILD what `make sanitize` built: camtlPackageTests.xctest and
camtl. FLAGS go to run_tests.py. Tests/Sanitizers/left-out.txt names the tests that are left
out, with the reasons, and Tests/Sanitizers/*.suppressions what is not shown, with the reasons.

Every process, the programs that tests start among them, writes what is found to a file of its own in FOLDER/reports:
the tests see the same output as ever. A finding of several processes is shown once. The exit status is 1 if there is a
finding, or a test fails.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLES = ROOT / "Tests/Sanitizers"
# Variables of the sanitizers by name, with what they are told besides where to write. As ever, malloc has no memory for
# a size that is out of range.
OPTIONS = {
    "address": {
        "ASAN_OPTIONS": "allocator_may_return_null=1:strict_string_checks=1:check_initialization_order=1",
        "LSAN_OPTIONS": f"suppressions={TABLES / 'leak.suppressions'}:print_suppressions=0",
    },
    "undefined": {"UBSAN_OPTIONS": "print_stacktrace=1:print_summary=1:report_error_type=1"},
    # Its processes end with the tests' status: findings are counted by their reports.
    "thread": {
        "TSAN_OPTIONS": f"suppressions={TABLES / 'thread.suppressions'}:exitcode=0:history_size=4"
        ":allocator_may_return_null=1",
    },
}
SUMMARY = re.compile(r"^SUMMARY: .*$", re.MULTILINE)
# Said where malloc has no memory.
REFUSAL = re.compile(r"^==\d+==WARNING: \w+ failed to allocate .*\n?", re.MULTILINE)


def left_out(sanitizer):
    """The names of the tests that can't run under the sanitizer, with the reasons."""
    path = TABLES / "left-out.txt"
    reasons = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split(maxsplit=2)
        if len(words) != 3 or not set(words[0].split(",")) <= set(OPTIONS):
            sys.exit(f"camtl: {path}:{number}: wanted 'SANITIZER,… TEST REASON'")
        if sanitizer in words[0].split(","):
            reasons[words[1]] = words[2]
    return reasons


def environment(sanitizer, reports):
    """The variables of a process whose findings are to lie in a folder."""
    variables = dict(os.environ)
    swift = shutil.which("swift")
    symbolizer = shutil.which("llvm-symbolizer", path=str(Path(swift).resolve().parent) if swift else None)
    for name, options in OPTIONS[sanitizer].items():
        if name != "LSAN_OPTIONS":
            options += f":log_path='{reports / 'report'}'"
            if symbolizer:
                options += f":external_symbolizer_path='{symbolizer}'"
        variables[name] = options
    return variables


def findings(reports):
    """What was found, by its last line; each with its whole text, and how often it was found."""
    texts, counts = {}, Counter()
    for path in sorted(reports.glob("report.*")):
        text = REFUSAL.sub("", path.read_text(errors="replace"))
        start = 0
        for summary in SUMMARY.finditer(text):
            texts.setdefault(summary[0], text[start:summary.end()].strip("=\n "))
            counts[summary[0]] += 1
            start = summary.end()
        # A process that was killed while it wrote.
        if start == 0 and text.strip():
            first = text.strip().splitlines()[0]
            texts.setdefault(first, text.strip())
            counts[first] += 1
    return texts, counts


def empty(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("sanitizer", choices=OPTIONS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("build", type=Path)
    arguments, flags = parser.parse_known_args()
    folder = arguments.folder.resolve()
    reports = folder / "reports"

    variables = environment(arguments.sanitizer, empty(reports))
    subprocess.run([str(folder / "fault"), arguments.sanitizer], env=variables, stderr=subprocess.DEVNULL)
    if not findings(reports)[0]:
        sys.exit(f"camtl: the {arguments.sanitizer} sanitizer doesn't find the fault in Tests/Sanitizers/Fault.cpp")

    empty(reports)
    reasons = left_out(arguments.sanitizer)
    for name, reason in reasons.items():
        print(f"left out: {name}: {reason}")
    command = [sys.executable, str(ROOT / "Scripts/run_tests.py"), *flags]
    if reasons:
        command += ["--leave-out", *reasons]
    command += ["--", str(arguments.build.resolve() / "camtlPackageTests.xctest")]
    variables["CAMTL_PROGRAM"] = str(arguments.build.resolve() / "camtl")
    start = time.monotonic()
    status = subprocess.run(command, env=variables).returncode
    texts, counts = findings(reports)
    for summary, text in texts.items():
        print(f"\n{text}\n(found {counts[summary]} times)")
    print(
        f"{arguments.sanitizer} sanitizer: {len(texts)} findings, {len(reasons)} tests or classes left out, "
        f"{time.monotonic() - start:.0f} seconds; the tests {'failed' if status else 'passed'}")
    sys.exit(1 if texts or status else 0)


if __name__ == "__main__":
    main()
