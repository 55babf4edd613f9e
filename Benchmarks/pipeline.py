#!/usr/bin/env python3
"""Times transformers' text-classification pipeline on the rows of a file, as `camtl predict` takes them.

The model is a BertForSequenceClassification that `camtl convert` wrote. A first call with a batch or two is not
measured. Writes one JSON object, with a time for each batch size.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import measuring

import torch
from transformers import pipeline


def texts(row: dict) -> dict:
    """A row as the pipeline takes it."""
    if "sentence" in row:
        return {"text": row["sentence"]}
    return {"text": row["sentence1"], "text_pair": row["sentence2"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of a BertForSequenceClassification")
    parser.add_argument("--rows", required=True, type=Path, help="JSON lines, as camtl predict takes them")
    parser.add_argument("--max_length", type=int, required=True)
    parser.add_argument("--batch_sizes", type=int, nargs="+", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--json", required=True, type=Path, help="where the figures go")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    rows = [texts(row) for row in measuring.read_rows(options.rows)]
    classify = pipeline("text-classification", model=options.model, device="cpu")
    seconds = {}
    for size in options.batch_sizes:
        settings = {"batch_size": size, "truncation": True, "max_length": options.max_length, "top_k": None}
        classify(rows[:2 * size], **settings)
        start = measuring.now()
        predictions = classify(rows, **settings)
        seconds[size] = measuring.now() - start
        assert len(predictions) == len(rows)
    measuring.write(options.json, {"seconds": seconds, "examples": len(rows)})


if __name__ == "__main__":
    main()
