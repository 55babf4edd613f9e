"""Tests of Scripts/run_tests.py, on a bundle that prints what XCTest prints, and on a script of unittest's."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

RUNNER = Path(__file__).resolve().parent.parent / "Scripts/run_tests.py"

# Its tests pass, or do what their names say.
BUNDLE = """#!{python}
import os, signal, sys, time
TESTS = {tests!r}
if sys.argv[1] == "--list-tests":
    print("Listing", len(TESTS), "tests:\\n")
    print(*TESTS, sep="\\n")
    sys.exit()
tests = sys.argv[1].split(",")
suite = tests[0].split("/")[0].split(".")[1]
with open(os.environ["ORDER"], "a") as order:
    print(suite, file=order)
failures = unexpected = skipped = run = 0
print("Test Suite 'Selected tests' started at 2026-01-01")
print(f"Test Suite '{{suite}}' started at 2026-01-01", flush=True)
for test in tests:
    name = test.split(".")[1].replace("/", ".")
    print(f"Test Case '{{name}}' started at 2026-01-01", flush=True)
    run += 1
    if name.endswith("Crashes"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.endswith("Exits"):
        sys.exit(3)
    failures += name.endswith("Fails")
    unexpected += name.endswith("Fails")
    skipped += name.endswith("Skips")
    print(f"Test Case '{{name}}' {{'failed' if name.endswith('Fails') else 'passed'}} (0.001 seconds)")
    if name.endswith("EndsTheRest"):
        break
word = "failed" if failures else "passed"
def count(number, noun):
    return f"{{number}} {{noun}}" + ("" if number == 1 else "s")
skips = f"{{count(skipped, 'test')}} skipped and " if skipped else ""
total = (
    f"\\t Executed {{count(run, 'test')}}, with {{skips}}{{count(failures, 'failure')}} "
    f"({{unexpected}} unexpected) in 0.5 (0.5) seconds")
print(f"Test Suite '{{suite}}' {{word}} at 2026-01-01\\n{{total}}")
print(f"Test Suite 'Selected tests' {{word}} at 2026-01-01\\n{{total}}")
sys.exit(1 if failures or suite == "Quits" else 0)
"""


class RunTestsTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.times = self.folder / "times"

    def run_tests(self, tests, *more, scripts=(), processes=2):
        bundle = self.folder / "bundle"
        bundle.write_text(BUNDLE.format(python=sys.executable, tests=list(tests)))
        bundle.chmod(0o755)
        order = self.folder / "order"
        order.write_text("")
        done = subprocess.run(
            [sys.executable, str(RUNNER), "-j", str(processes), "--times", str(self.times), *more, "--", str(bundle),
             *map(str, scripts)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
            env={**os.environ, "ORDER": str(order)})
        self.order = order.read_text().split()
        return done.returncode, done.stdout.splitlines()

    def test_every_test_runs_once_and_the_last_line_sums_up(self):
        status, lines = self.run_tests(["M.A/testOne", "M.A/testTwo", "N.B/testOne", "N.C/testSkips"])
        self.assertEqual(status, 0)
        self.assertEqual(sorted(self.order), ["A", "B", "C"])
        self.assertEqual(sum(line.startswith("Test Case") and "passed" in line for line in lines), 4)
        self.assertRegex(
            lines[-1],
            r"^\t Executed 4 tests, with 1 test skipped and 0 failures \(0 unexpected\) in 1.500 \(\d+\.\d+\) seconds$")
        self.assertEqual(sum("Executed" in line for line in lines), 4, "one of each class, and the last")
        self.assertNotIn("Selected tests", "".join(lines))

    def test_a_class_s_lines_stand_together(self):
        _, lines = self.run_tests([f"M.C{number}/test{test}" for number in range(6) for test in "AB"], processes=4)
        lines = [line for line in lines if line.startswith("Test ")][:-1]
        for start in range(0, len(lines), 6):
            suite = lines[start].split("'")[1]
            self.assertTrue(all(f"'{suite}" in line for line in lines[start:start + 6]), lines)

    def test_whatever_goes_wrong_is_counted_and_ends_with_an_error(self):
        for test, said, executed in [
            ("M.A/testFails", None, "Executed 3 tests, with 1 failure (1 unexpected)"),
            ("M.A/testCrashes", "error: M.A: its process was ended by signal 11 in A.testCrashes, after 0 of 2 tests",
             "Executed 2 tests, with 1 failure (1 unexpected)"),
            ("M.A/testExits", "error: M.A: its process ended with status 3 in A.testExits, after 0 of 2 tests",
             "Executed 2 tests, with 1 failure (1 unexpected)"),
            ("M.A/testEndsTheRest", "error: M.A: 1 of its 2 tests ran", "Executed 2 tests, with 1 failure"),
            ("M.Quits/testOne", "error: M.Quits: with 0 failures its process ended with status 1",
             "Executed 3 tests, with 1 failure (1 unexpected)"),
        ]:
            with self.subTest(test):
                status, lines = self.run_tests([test, test.split("/")[0] + "/testZ", "M.Other/testOne"])
                self.assertEqual(status, 1)
                self.assertIn(executed, lines[-1])
                self.assertIn("Test Suite 'All tests' failed", lines)
                self.assertIn(f"failed: {test.split('/')[0]}", lines)
                if said:
                    self.assertIn(said, lines)

    def test_what_took_long_starts_first_and_the_unknown_before_the_short(self):
        self.times.write_text("0.5 M.Short\n\nno time M.Odd\n90 M.Long\n")
        tests = ["M.Short/testOne", "M.New/testOne", "M.Long/testOne"]
        self.run_tests(tests, processes=1)
        self.assertEqual(self.order, ["Long", "New", "Short"])
        kept = dict(reversed(line.split()) for line in self.times.read_text().splitlines())
        self.assertLessEqual({"M.Short", "M.New", "M.Long"}, set(kept))
        self.assertLess(float(kept["M.Long"]), 60)

    def test_a_script_s_tests_count_too(self):
        script = self.folder / "ScriptTests.py"
        text = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n" \
            "    def test_b(self): {}\nunittest.main()\n"
        script.write_text(text.format("self.skipTest('')"))
        status, lines = self.run_tests(["M.A/testOne"], scripts=[script])
        self.assertEqual(status, 0)
        self.assertIn("Executed 3 tests, with 1 test skipped and 0 failures (0 unexpected)", lines[-1])
        for body, unexpected in (("self.fail()", 0), ("nothing()", 1)):
            script.write_text(text.format(body))
            status, lines = self.run_tests(["M.A/testOne"], scripts=[script])
            self.assertEqual(status, 1)
            self.assertIn(f"Executed 3 tests, with 1 failure ({unexpected} unexpected)", lines[-1])
        script.write_text("raise SystemExit(4)")
        status, lines = self.run_tests(["M.A/testOne"], scripts=[script])
        self.assertEqual(status, 1)
        self.assertIn("error: ScriptTests: its process ended with status 4", lines)

    def test_tests_are_chosen_by_words_of_their_names(self):
        tests = ["M.A/testOne", "M.A/testTwo", "N.B/testTwo"]
        self.assertIn("Executed 2 tests", self.run_tests(tests, "--only", "testTwo")[1][-1])
        self.assertIn("Executed 1 test,", self.run_tests(tests, "--only", "N.", "none")[1][-1])
        status, lines = self.run_tests(tests, "--only", "none")
        self.assertEqual((status, lines), (1, ["run_tests.py: there is no such test"]))

    def test_tests_and_classes_are_left_out_by_their_whole_names(self):
        tests = ["M.A/testOne", "M.A/testTwo", "M.AB/testOne", "N.B/testOne"]
        status, lines = self.run_tests(tests, "--leave-out", "M.A/testOne", "N.B")
        self.assertEqual((status, sorted(self.order)), (0, ["A", "AB"]))
        self.assertIn("Executed 2 tests", lines[-1])
        self.assertIn("Executed 1 test,", self.run_tests(tests, "--only", "testOne", "--leave-out", "M.A", "N.B")[1][-1])
        status, lines = self.run_tests(tests, "--leave-out", "M.A/test", "M.A")
        self.assertEqual((status, lines), (1, ["run_tests.py: no test or class is called M.A/test"]))


if __name__ == "__main__":
    unittest.main()
