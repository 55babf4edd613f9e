#!/usr/bin/env python3
"""Times transformers' Trainer.predict with BertForSequenceClassification on the rows of a file.

The rows are those that `camtl bench --write_eval_rows` wrote, in their order, padded to the longest of a batch, which
is what the Trainer does by default with a tokenizer. The model's head is new: it costs what a trained one does. A first
prediction of a batch or two is not measured. Writes one JSON object, with a time for each batch size.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import measuring

import torch
from transformers import (
    AutoTokenizer, BertForSequenceClassification, DataCollatorWithPadding, Trainer, TrainingArguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of a pretrained BERT")
    parser.add_argument("--rows", required=True, type=Path, help="what camtl bench --write_eval_rows wrote")
    parser.add_argument("--batch_sizes", type=int, nargs="+", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--json", required=True, type=Path, help="where the figures go")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    rows = [measuring.features(row) for row in measuring.read_rows(options.rows)]
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = BertForSequenceClassification.from_pretrained(options.model, num_labels=measuring.CLASSES)
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in options.batch_sizes:
            trainer = Trainer(
                model=model, args=TrainingArguments(
                    output_dir=folder, use_cpu=True, per_device_eval_batch_size=size, report_to="none",
                    disable_tqdm=True),
                data_collator=DataCollatorWithPadding(tokenizer))
            trainer.predict(rows[:2 * size])
            start = measuring.now()
            trainer.predict(rows)
            seconds[size] = measuring.now() - start
    measuring.write(options.json, {"seconds": seconds, "examples": len(rows)})


if __name__ == "__main__":
    main()
