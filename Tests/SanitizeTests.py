"""Tests of Scripts/sanitize.py, on programs that write reports as the sanitizers do, and of what it leaves out."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Scripts"))
sys.dont_write_bytecode = True
import sanitize

RUNNER = ROOT / "Scripts/sanitize.py"
LEFT_OUT = ROOT / "Tests/Sanitizers/left-out.txt"

# Both write a report for each line of a file beside them, where they are told to.
PROGRAM = """#!{python}
import os, re, sys
from pathlib import Path
folder = re.search("log_path='(.*?)'", os.environ["{variable}"])[1]
for number, line in enumerate(Path(__file__ + ".findings").read_text().splitlines()):
    Path(f"{{folder}}.{{os.getpid()}}{{number}}").write_text(f"=====\\n{{line}} here\\nSUMMARY: {{line}}\\n=====\\n")
"""
TESTS = """
names = {names!r}
if sys.argv[1] == "--list-tests":
    print(*names, sep="\\n")
else:
    count = len(sys.argv[1].split(","))
    print(f"\\t Executed {{count}} tests, with {failures} failures (0 unexpected) in 0.5 (0.5) seconds")
    sys.exit({failures} > 0)
"""


class SanitizeTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="camtl test ")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name, variable, text="", findings=()):
        path = self.folder / name
        path.write_text(PROGRAM.format(python=sys.executable, variable=variable) + text)
        path.chmod(0o755)
        (self.folder / (name + ".findings")).write_text("".join(f"{line}\n" for line in findings))

    def sanitize(self, name="thread", variable="TSAN_OPTIONS", fault=("fault",), findings=(), failures=0):
        names = ["Module.Class/test"] + [
            line.split()[1] for line in LEFT_OUT.read_text().splitlines() if line and not line.startswith("#")]
        names = [test if "/" in test else test + "/test" for test in names]
        self.write("fault", variable, findings=fault)
        self.write("camtlPackageTests.xctest", variable, TESTS.format(names=names, failures=failures), findings)
        done = subprocess.run(
            [sys.executable, str(RUNNER), name, str(self.folder), str(self.folder), "--only", "Module."],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
        return done.returncode, done.stdout

    def test_without_a_finding_it_is_clean(self):
        for name, variable in [
            ("address", "ASAN_OPTIONS"), ("undefined", "UBSAN_OPTIONS"), ("thread", "TSAN_OPTIONS")
        ]:
            status, text = self.sanitize(name, variable)
            self.assertEqual(status, 0, text)
            self.assertRegex(text, rf"{name} sanitizer: 0 findings, \d+ tests or classes left out, .* tests passed\n$")

    def test_each_finding_is_shown_once_and_is_no_success(self):
        # Each process writes them: the one that lists the tests, and the one that runs them.
        status, text = self.sanitize(findings=["race one", "race two"])
        self.assertEqual(status, 1, text)
        self.assertEqual(text.count("SUMMARY: race one"), 1, text)
        self.assertIn("race two here\nSUMMARY: race two\n(found 2 times)", text)
        self.assertIn("2 findings", text)

    def test_memory_that_is_not_given_is_no_finding_and_a_report_without_an_end_is_one(self):
        for text, count in [
            ("==12==WARNING: AddressSanitizer failed to allocate 0x40 bytes\n", 0),
            ("ThreadSanitizer: CHECK failed: tsan_rtl.cpp:261\n    #0 frame\n", 1),
        ]:
            reports = self.folder / "reports"
            reports.mkdir(exist_ok=True)
            (reports / "report.1").write_text(text)
            self.assertEqual(len(sanitize.findings(reports)[0]), count, text)

    def test_a_test_that_fails_is_no_success(self):
        status, text = self.sanitize(failures=1)
        self.assertEqual(status, 1, text)
        self.assertIn("0 findings", text)
        self.assertIn("the tests failed", text)

    def test_a_sanitizer_that_misses_the_planted_fault_runs_no_test(self):
        status, text = self.sanitize(fault=())
        self.assertEqual(status, 1)
        self.assertEqual(
            text, "camtl: the thread sanitizer doesn't find the fault in Tests/Sanitizers/Fault.cpp\n")

    def test_every_exception_has_a_reason_and_every_test_left_out_is_there(self):
        for line in LEFT_OUT.read_text().splitlines():
            if not line or line.startswith("#"):
                continue
            sanitizers, name, reason = line.split(maxsplit=2)
            self.assertLessEqual(set(sanitizers.split(",")), {"address", "undefined", "thread"})
            self.assertGreater(len(reason.split()), 3, line)
            target, suite, test = re.fullmatch(r"(\w+)\.(\w+)(?:/(\w+))?", name).groups()
            sources = [path.read_text() for path in (ROOT / "Tests" / target).rglob("*.swift")]
            self.assertTrue(any(f"class {suite}:" in text and (not test or f"func {test}()" in text)
                                for text in sources), name)
        for path in LEFT_OUT.parent.glob("*.suppressions"):
            blocks = [block.splitlines() for block in path.read_text().strip().split("\n\n")][1:]
            for block in blocks:
                self.assertTrue(block[0].startswith("# "), f"{path.name}: {block[0]}")


if __name__ == "__main__":
    unittest.main()
