#!/usr/bin/env python3
"""Checks that a zip archive is a complete and correct submission to GLUE's server.

    python3 Scripts/check_submission.py submission.zip [--partial]

It knows nothing of the program that wrote the archive, only GLUE's rules: the files at the archive's root, the header
`index<TAB>prediction`, an index from 0 without a gap, the test sets' numbers of rows, and each task's labels or scores.
With --partial, files may be missing and have other numbers of rows; whatever is there has to be right all the same.

The exit status is 0 if nothing is wrong, 1 with a line on standard error for each thing that is, and 2 for a wrong
command line or an archive that can't be read. Python 3.8 or newer, nothing else.
"""
import re
import sys
import zipfile
import zlib

BINARY = frozenset(["0", "1"])
ENTAILMENT = frozenset(["entailment", "not_entailment"])
INFERENCE = frozenset(["entailment", "neutral", "contradiction"])
SCORE = None  # STS-B's: a number from 0 to 5 with three decimals.

# File: the test set's rows, and what may be predicted.
FILES = {
    "CoLA.tsv": (1063, BINARY),
    "SST-2.tsv": (1821, BINARY),
    "MRPC.tsv": (1725, BINARY),
    "STS-B.tsv": (1379, SCORE),
    "QQP.tsv": (390965, BINARY),
    "MNLI-m.tsv": (9796, INFERENCE),
    "MNLI-mm.tsv": (9847, INFERENCE),
    "QNLI.tsv": (5463, ENTAILMENT),
    "RTE.tsv": (3000, ENTAILMENT),
    "WNLI.tsv": (146, BINARY),
    "AX.tsv": (1104, INFERENCE),
}
HEADER = "index\tprediction"
# Of one file no more problems than this are told: they tend to be the same in every row.
MOST_PROBLEMS = 5


def prediction_problem(text, allowed):
    """What is wrong with a prediction, or None."""
    if allowed is not SCORE:
        if text not in allowed:
            return "the prediction %r is none of %s" % (text, ", ".join(sorted(allowed)))
    elif not re.fullmatch(r"[0-9]\.[0-9]{3}", text):
        return "the score %r is no number from 0 to 5 with three decimals" % text
    elif float(text) > 5:
        return "the score %s is above 5" % text
    return None


def file_problems(data, rows, allowed, partial):
    """What is wrong with a file's bytes, thing by thing."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        yield "it is not UTF-8: %s" % error
        return
    if text.startswith("\ufeff"):
        yield "it starts with a byte order mark"
        return
    if "\r" in text:
        yield "its lines end with carriage returns"
        return
    lines = text.split("\n")
    # What stands behind the last line's end.
    if lines[-1] == "":
        lines.pop()
    else:
        yield "its last line has no end: it may be cut short"
    if not lines or lines[0] != HEADER:
        yield "line 1: the header is %r, and not %r" % (lines[0] if lines else "", HEADER)
        return
    for row, line in enumerate(lines[1:]):
        columns = line.split("\t")
        if len(columns) != 2:
            yield "line %d: it has %d tab-separated columns, and not 2" % (row + 2, len(columns))
            continue
        if columns[0] != str(row):
            yield "line %d: the index is %r, and not %d" % (row + 2, columns[0], row)
        problem = prediction_problem(columns[1], allowed)
        if problem:
            yield "line %d: %s" % (row + 2, problem)
    found = len(lines) - 1
    if found != rows and not (partial and found > 0):
        yield "it has %d rows, and the test set has %d" % (found, rows)


def archive_problems(archive, partial):
    """What is wrong with the archive and the files in it, thing by thing."""
    names = archive.namelist()
    for name in sorted(set(names)):
        if names.count(name) > 1:
            yield "%s: it is there %d times" % (name, names.count(name))
        if name not in FILES:
            yield "%s: a submission has no such file; it has %s" % (name, ", ".join(FILES))
    if not names:
        yield "there is no file in it"
    for name, (rows, allowed) in FILES.items():
        if name not in names:
            if not partial:
                yield "%s: it is missing" % name
            continue
        try:
            data = archive.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            yield "%s: it can't be read: %s" % (name, error)
            continue
        problems = list(file_problems(data, rows, allowed, partial))
        for problem in problems[:MOST_PROBLEMS]:
            yield "%s: %s" % (name, problem)
        if len(problems) > MOST_PROBLEMS:
            yield "%s: and %d more" % (name, len(problems) - MOST_PROBLEMS)


def main(arguments):
    partial = "--partial" in arguments
    paths = [argument for argument in arguments if argument != "--partial"]
    if len(paths) != 1 or paths[0].startswith("-"):
        print("usage: check_submission.py ZIP [--partial]", file=sys.stderr)
        return 2
    try:
        with zipfile.ZipFile(paths[0]) as archive:
            problems = list(archive_problems(archive, partial))
            count = len(archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        print("%s: this is no zip archive that can be read: %s" % (paths[0], error), file=sys.stderr)
        return 2
    for problem in problems:
        print("%s: %s" % (paths[0], problem), file=sys.stderr)
    if problems:
        return 1
    print("%s: %d files, nothing wrong%s" % (paths[0], count, " with what is there" if partial else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
