"""Tests of Scripts/check_submission.py: it takes a right submission, and fails on whatever is wrong with one.

    python3 Tests/CheckSubmissionTests.py
"""
import contextlib
import io
import os
import sys
import tempfile
import unittest
import zipfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Scripts"))
import check_submission  # noqa: E402


def table(predictions):
    rows = "".join("%d\t%s\n" % row for row in enumerate(predictions))
    return "index\tprediction\n" + rows


def right_files():
    """A complete submission. Its labels go by turns."""
    labels = {
        "MNLI-m": ["entailment", "neutral", "contradiction"], "QNLI": ["entailment", "not_entailment"],
        "STS-B": ["0.000", "5.000", "3.142"], "CoLA": ["0", "1"],
    }
    rows = [
        ("CoLA", 1063, "CoLA"), ("SST-2", 1821, "CoLA"), ("MRPC", 1725, "CoLA"), ("STS-B", 1379, "STS-B"),
        ("QQP", 390965, "CoLA"), ("MNLI-m", 9796, "MNLI-m"), ("MNLI-mm", 9847, "MNLI-m"), ("QNLI", 5463, "QNLI"),
        ("RTE", 3000, "QNLI"), ("WNLI", 146, "CoLA"), ("AX", 1104, "MNLI-m"),
    ]
    return {
        name + ".tsv": table(labels[kind][row % len(labels[kind])] for row in range(count))
        for name, count, kind in rows
    }


class CheckSubmissionTests(unittest.TestCase):
    files = right_files()

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "submission.zip")

    def check(self, files, *flags):
        """The exit status and all that is said, of files by name: a list may have a name twice."""
        members = files.items() if isinstance(files, dict) else files
        with zipfile.ZipFile(self.path, "w") as archive:
            for name, text in members:
                archive.writestr(name, text)
        return self.run_checker(self.path, *flags)

    def run_checker(self, *arguments):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = check_submission.main(list(arguments))
        return status, said.getvalue()

    def assert_refused(self, change, message, partial=False):
        """Changes files of a right submission, less the largest, which would take its time; None removes one."""
        small = {name: text for name, text in self.files.items() if name != "QQP.tsv"}
        small.update(change)
        status, said = self.check(
            {name: text for name, text in small.items() if text is not None}, *(["--partial"] if partial else []))
        self.assertEqual(status, 1, said)
        # Without --partial the missing file is always told as well.
        told = [line for line in said.splitlines() if "QQP.tsv: it is missing" not in line]
        self.assertEqual(len(told), 1, said)
        self.assertIn(message, told[0])

    def test_right_submission_passes(self):
        status, said = self.check(self.files)
        self.assertEqual((status, said), (0, "%s: 11 files, nothing wrong\n" % self.path))

    def test_each_missing_file_is_named(self):
        status, said = self.check({})
        self.assertEqual(status, 1)
        for name in self.files:
            self.assertIn("%s: it is missing" % name, said)
        self.assert_refused({"AX.tsv": None}, "AX.tsv: it is missing")

    def test_part_of_a_submission_passes_as_one(self):
        part = {"RTE.tsv": table(["entailment"] * 7)}
        self.assertEqual(self.check(part, "--partial")[0], 0)
        status, said = self.check(part)
        self.assertEqual(status, 1)
        self.assertIn("RTE.tsv: it has 7 rows, and the test set has 3000", said)
        self.assertEqual(self.check({}, "--partial")[0], 1)
        self.assertEqual(self.check({"RTE.tsv": table([])}, "--partial")[0], 1)

    def test_rows_too_few_and_too_many(self):
        self.assert_refused({"WNLI.tsv": table(["0"] * 145)}, "WNLI.tsv: it has 145 rows, and the test set has 146")
        self.assert_refused({"WNLI.tsv": table(["0"] * 147)}, "WNLI.tsv: it has 147 rows, and the test set has 146")

    def test_files_and_folders_that_no_submission_has(self):
        self.assert_refused({"notes.txt": "x"}, "notes.txt: a submission has no such file")
        self.assert_refused({"predictions/": ""}, "predictions/: a submission has no such file", partial=True)
        self.assert_refused(
            {"RTE.tsv": None, "out/RTE.tsv": self.files["RTE.tsv"]}, "out/RTE.tsv: a submission", partial=True)

    def test_file_that_is_there_twice(self):
        with self.assertWarns(UserWarning):
            status, said = self.check([("WNLI.tsv", self.files["WNLI.tsv"])] * 2, "--partial")
        self.assertEqual(status, 1)
        self.assertIn("WNLI.tsv: it is there 2 times", said)

    def test_header(self):
        body = self.files["WNLI.tsv"].split("\n", 1)[1]
        for header in ["id\tlabel\n", "index,prediction\n", "Index\tPrediction\n", ""]:
            self.assert_refused({"WNLI.tsv": header + body}, "WNLI.tsv: line 1: the header is", partial=True)
        self.assert_refused({"WNLI.tsv": ""}, "WNLI.tsv: line 1: the header is ''", partial=True)

    def test_index(self):
        for wrong in ["1\t0", "-1\t0", "00\t0", "0.0\t0", " 0\t0"]:
            text = self.files["WNLI.tsv"].replace("\n0\t0\n", "\n%s\n" % wrong)
            self.assert_refused({"WNLI.tsv": text}, "WNLI.tsv: line 2: the index is", partial=True)
        gap = self.files["WNLI.tsv"].replace("\n145\t1\n", "\n146\t1\n")
        self.assert_refused({"WNLI.tsv": gap}, "line 147: the index is '146', and not 145")

    def test_rows_that_are_not_two_columns(self):
        for wrong in ["0", "0\t0\t0.9", "0 0", ""]:
            text = self.files["WNLI.tsv"].replace("\n0\t0\n", "\n%s\n" % wrong)
            self.assert_refused({"WNLI.tsv": text}, "WNLI.tsv: line 2: it has", partial=True)

    def test_labels_of_each_task(self):
        for name, wrong in [
            ("CoLA.tsv", "2"), ("SST-2.tsv", "entailment"), ("MRPC.tsv", "1.0"), ("WNLI.tsv", ""),
            ("MNLI-m.tsv", "not_entailment"), ("MNLI-mm.tsv", "0"), ("AX.tsv", "Neutral"), ("QNLI.tsv", "neutral"),
            ("RTE.tsv", "entailment "), ("RTE.tsv", "1"),
        ]:
            lines = self.files[name].split("\n")
            lines[3] = "2\t" + wrong
            self.assert_refused({name: "\n".join(lines)}, "%s: line 4: the prediction %r is none of" % (name, wrong))
        self.assertEqual(self.check({"QQP.tsv": table(["yes"])}, "--partial")[0], 1)

    def test_scores(self):
        for wrong in ["5.001", "-0.001", "3.14", "3.1416", "nan", "1e0", "3", "10.000", "", "+1.000", "0,500"]:
            text = self.files["STS-B.tsv"].replace("\n0\t0.000\n", "\n0\t%s\n" % wrong)
            self.assert_refused({"STS-B.tsv": text}, "STS-B.tsv: line 2: the score ", partial=True)

    def test_bytes_that_are_no_text_of_lines(self):
        right = self.files["WNLI.tsv"]
        self.assert_refused({"WNLI.tsv": right.encode() + b"\xff\n"}, "WNLI.tsv: it is not UTF-8")
        self.assert_refused({"WNLI.tsv": "\ufeff" + right}, "WNLI.tsv: it starts with a byte order mark")
        self.assert_refused({"WNLI.tsv": right.replace("\n", "\r\n")}, "WNLI.tsv: its lines end with carriage returns")
        self.assert_refused({"WNLI.tsv": right[:-1]}, "WNLI.tsv: its last line has no end")

    def test_many_problems_of_a_file_are_told_in_short(self):
        status, said = self.check({"RTE.tsv": table(["x"] * 3000)}, "--partial")
        self.assertEqual((status, said.count("\n")), (1, 6))
        self.assertIn("RTE.tsv: and 2995 more", said)

    def test_archives_that_are_none_or_damaged(self):
        missing = os.path.join(self.folder.name, "none.zip")
        self.assertEqual(self.run_checker(missing)[0], 2)
        self.check(self.files)
        with open(self.path, "rb") as file:
            right = file.read()
        for wrong in [b"", b"index\tprediction\n", right[: len(right) // 2], right[:-30]]:
            with open(self.path, "wb") as file:
                file.write(wrong)
            self.assertEqual(self.run_checker(self.path)[0], 2)
        # A byte of the first file, which is stored as it is.
        place = right.index(b"0\t0\n")
        with open(self.path, "wb") as file:
            file.write(right[:place] + b"9" + right[place + 1 :])
        status, said = self.run_checker(self.path)
        self.assertEqual(status, 1)
        self.assertIn("CoLA.tsv: it can't be read: Bad CRC-32", said)

    def test_wrong_command_lines(self):
        for arguments in [[], ["a.zip", "b.zip"], ["--whole"], ["--partial"]]:
            status, said = self.run_checker(*arguments)
            self.assertEqual(status, 2)
            self.assertIn("usage: check_submission.py ZIP [--partial]", said)


if __name__ == "__main__":
    unittest.main()
