#!/usr/bin/env python3
"""Breaks formulas of camtl, one at a time, in a copy of the project, and lists those whose break no test notices.

    mutate.py [--list | --check] [PATTERN ...]

Scripts/mutations.txt says what is broken, and which tests should notice. The copy lies in .build/mutate, or where
CAMTL_MUTATE_DIR says, and is built there, in debug mode; the checkout is only read. Patterns, such as 'dropout*', choose mutations by their names. The exit
status is 0 if every mutation was noticed, and 1 if one was not, didn't compile, or doesn't apply any more.
"""
import argparse
import filecmp
import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "Scripts/mutations.txt"
TREE = Path(os.environ.get("CAMTL_MUTATE_DIR") or ROOT / ".build/mutate").absolute()
BUNDLE = TREE / ".build/debug/camtlPackageTests.xctest"
# What the copy needs: nothing else is built or read.
COPIED = ["Package.swift", "Package.resolved", "Sources", "Tests", "Scripts", "Examples", "Documentation"]
# A test that goes on for longer hangs, which is noticed, too.
LONGEST_TEST = 900


class Mutation:
    """A formula that is broken.

    name, file, tests: the words of its first line; tests are XCTest's names, several with commas between them.
    breaks: what it does. old, new: the text that is replaced, and by what.
    """

    def __init__(self, line, number):
        words = line.split()
        if len(words) != 4:
            sys.exit(f"camtl: {TABLE}:{number}: wanted '@ NAME FILE TESTS'")
        _, self.name, self.file, self.tests = words
        self.number = number
        self.breaks, self._old, self._new = [], [], []

    def add(self, line):
        part = {"-": self._old, "+": self._new}.get(line[0])
        (self.breaks if part is None else part).append(line.strip() if part is None else line[2:])

    @property
    def old(self):
        return "\n".join(self._old)

    @property
    def new(self):
        return "\n".join(self._new)

    def fault(self):
        """Why it can't be applied, or None."""
        path = ROOT / self.file
        if not path.is_file():
            return f"there is no {self.file}"
        count = path.read_text().count(self.old) if self.old else 0
        if count != 1:
            return f"its text is found {count} times in {self.file}, and not once"
        return None if self.old != self.new else "it changes nothing"


def read_table():
    mutations = []
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("@"):
            mutations.append(Mutation(line, number))
        elif mutations and line[0] in "-+ ":
            mutations[-1].add(line)
        else:
            sys.exit(f"camtl: {TABLE}:{number}: wanted '@', '-', '+', '#' or two spaces first")
    names = [mutation.name for mutation in mutations]
    for name in set(names):
        if names.count(name) > 1:
            sys.exit(f"camtl: {TABLE}: two mutations are called {name}")
    return mutations


def check(mutations):
    """Whether all of them can be applied; says of which that isn't so."""
    faults = [(mutation, mutation.fault()) for mutation in mutations]
    for mutation, fault in faults:
        if fault:
            print(f"{TABLE.relative_to(ROOT)}:{mutation.number}: {mutation.name}: {fault}", file=sys.stderr)
    return not any(fault for _, fault in faults)


def copy_file(source, target):
    """Leaves a file alone that is the same, so that it isn't compiled again."""
    if target.is_file() and not target.is_symlink() and filecmp.cmp(source, target, shallow=False):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def copy_tree():
    wanted = set()
    for name in COPIED:
        source = ROOT / name
        files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
        for path in files:
            relative = path.relative_to(ROOT)
            if {".build", "__pycache__"} & set(relative.parts):
                continue
            wanted.add(relative)
            copy_file(path, TREE / relative)
    for name in COPIED:
        for path in (TREE / name).rglob("*"):
            if path.is_file() and path.relative_to(TREE) not in wanted:
                path.unlink()
    for name in [".libtorch", ".pretrained"]:
        link = TREE / name
        if not link.is_symlink():
            link.symlink_to(ROOT / name)


def environment():
    variables = dict(os.environ)
    shared = os.environ.get("CAMTL_SHARED_DIR") or ROOT.parent / "shared"
    variables["CAMTL_SHARED_DIR"] = str(shared)
    variables["CAMTL_PRETRAINED"] = str(ROOT / ".pretrained/minilm")
    variables["CAMTL_PROGRAM"] = str(TREE / ".build/debug/camtl")
    # What the copy has its own of, and what make alone is told.
    for name in ["CTORCH_DIR", "CXX"]:
        variables.pop(name, None)
    return variables


def run(command, log):
    with open(log, "wb") as output:
        return subprocess.run(
            command, cwd=TREE, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ).returncode == 0


def build(files, log):
    """Builds what the files are parts of."""
    files = [str(file) for file in files]
    if any(file.startswith("Sources/CTorch/") for file in files):
        libtorch = os.environ.get("LIBTORCH_DIR") or TREE / ".libtorch"
        command = [
            "make", "--no-print-directory", "-j2", "-C", "Sources/CTorch", f"LIBTORCH={libtorch}",
            "OUT=../../.build/ctorch"]
        if os.environ.get("CXX"):
            command.append(f"CXX={os.environ['CXX']}")
        if not run(command, log):
            return False
    if all(file.startswith("Sources/CTorch/") for file in files):
        return True
    return run(["swift", "build", "--build-tests"], log)


def run_tests(tests, log, stops):
    """Whether the tests pass; the first failure ends them if `stops`."""
    process = subprocess.Popen(
        [str(BUNDLE), tests], cwd=TREE, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True)
    # An alarm, as a test that hangs says nothing.
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
    signal.alarm(LONGEST_TEST)
    executed = failed = False
    with open(log, "wb") as output:
        for line in process.stdout:
            output.write(line)
            executed = executed or re.search(rb"Executed [1-9]\d* test", line) is not None
            if re.search(rb": error: |Fatal error", line):
                failed = True
                if stops:
                    os.killpg(process.pid, signal.SIGKILL)
                    break
    process.stdout.close()
    status = process.wait()
    signal.alarm(0)
    if not failed and status == 0 and not executed:
        sys.exit(f"camtl: {tests} are no tests of this project; see {log}")
    return not failed and status == 0


def baseline(mutations, logs):
    """Builds the copy as it is, and runs its tests: where they fail already, nothing can be told."""
    if not build(["Sources/CTorch/", "Sources/Torch/"], logs / "build.log"):
        sys.exit(f"camtl: the copy doesn't build; see {logs / 'build.log'}")
    tests = sorted({test for mutation in mutations for test in mutation.tests.split(",")})
    if not run_tests(",".join(tests), logs / "tests.log", stops=False):
        sys.exit(f"camtl: tests fail without any mutation; see {logs / 'tests.log'}")


def attempt(mutation, logs):
    """What became of it: killed, survived, or doesn't compile."""
    path = TREE / mutation.file
    original = path.read_text()
    log = logs / f"{mutation.name}.log"
    try:
        path.write_text(original.replace(mutation.old, mutation.new))
        if not build([mutation.file], log):
            return "doesn't compile"
        return "survived" if run_tests(mutation.tests, log, stops=True) else "killed"
    finally:
        path.write_text(original)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="names, such as 'dropout*' (default: all)")
    parser.add_argument("--list", action="store_true", help="print names and what they break, and stop")
    parser.add_argument("--check", action="store_true", help="only check that each mutation still applies")
    arguments = parser.parse_args()
    patterns = arguments.patterns or ["*"]
    mutations = read_table()
    for pattern in patterns:
        if not any(fnmatch.fnmatch(mutation.name, pattern) for mutation in mutations):
            sys.exit(f"camtl: no mutation is called {pattern}; --list names them")
    mutations = [m for m in mutations if any(fnmatch.fnmatch(m.name, pattern) for pattern in patterns)]
    if arguments.list:
        for mutation in mutations:
            print(f"{mutation.name:32} {' '.join(mutation.breaks)}")
        return 0
    if not check(mutations):
        return 1
    if arguments.check:
        print(f"{len(mutations)} mutations apply")
        return 0
    logs = TREE / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    copy_tree()
    print(f"building and testing the copy in {TREE} as it is", flush=True)
    baseline(mutations, logs)
    outcomes = {}
    # One file after the other: each change of files builds both of them.
    files = [mutation.file for mutation in mutations]
    for mutation in sorted(mutations, key=lambda mutation: files.index(mutation.file)):
        start = time.monotonic()
        outcome = attempt(mutation, logs)
        outcomes[mutation.name] = outcome
        print(f"{outcome:16}{mutation.name:32}{time.monotonic() - start:6.0f} s", flush=True)
    # The next run finds the copy as it was.
    build(["Sources/CTorch/", "Sources/Torch/"], logs / "build.log")
    left = [mutation for mutation in mutations if outcomes[mutation.name] != "killed"]
    print(f"{len(mutations)} mutations, {len(mutations) - len(left)} killed, {len(left)} not")
    for mutation in left:
        print(f"{outcomes[mutation.name]}: {mutation.name}, {mutation.file}: {' '.join(mutation.breaks)}")
        print(f"    its tests: {mutation.tests}; its log: {logs / (mutation.name + '.log')}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
