#!/usr/bin/env python3
"""Writes Examples/glue_sample: an invented sample of all GLUE tasks in GLUE's file layout.

Usage: python3 Scripts/make_sample.py [folder]

Needs only the standard library. The seed is fixed, so a second run writes the same bytes.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True

from sample import ax, cola, mnli, mrpc, qnli, qqp, rte, sst2, stsb, wnli  # noqa: E402

DEFAULT_FOLDER = Path(__file__).resolve().parent.parent / "Examples" / "glue_sample"


def main() -> None:
    if len(sys.argv) > 2 or sys.argv[1:] in (["-h"], ["--help"]):
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1]) if len(sys.argv) == 2 else DEFAULT_FOLDER
    for task in (cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte, wnli, ax):
        for name, rows in task.write(folder).items():
            labels = Counter(row.label for row in rows)
            label, count = labels.most_common(1)[0]
            module = task.__name__.split(".")[-1]
            print(f"{module:5} {name:15} {len(rows):4} rows, label {label} on {count / len(rows):.0%}")


if __name__ == "__main__":
    main()
