#!/usr/bin/env python3
"""Times transformers' Trainer fine-tuning plain BERT, as BertForSequenceClassification, on the rows of a file.

The rows are those that `camtl bench --write_batches` wrote, in their order and their batches. All else is the Trainer's
default: dropout as in the model's configuration, its AdamW, its clipping, float32 unless a flag says otherwise. One
head of three classes reads all tasks; a label that is none of its classes is mapped to one, which costs the same.
Writes one JSON object.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import measuring

import torch
from transformers import (
    AutoTokenizer, BertForSequenceClassification, DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments)


class InOrder(Trainer):
    """A Trainer that takes the rows in their order."""

    def _get_train_sampler(self, *_):
        return torch.utils.data.SequentialSampler(self.train_dataset)


class StepTimes(TrainerCallback):
    """When the first step began, and when each ended. On a device, whose steps overlap with what comes next, only the
    step before those that are measured and the last one are waited for."""

    def __init__(self, waits: set):
        self.moments = []
        self.waits = waits

    def on_step_begin(self, *_, **__):
        if not self.moments:
            self.moments.append(measuring.now())

    def on_step_end(self, *_, **__):
        if len(self.moments) in self.waits:
            torch.cuda.synchronize()
        self.moments.append(measuring.now())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of a pretrained BERT")
    parser.add_argument("--batches", required=True, type=Path, help="what camtl bench --write_batches wrote")
    parser.add_argument("--pad_to", type=int, help="pad to this length; to the longest row of a batch without it")
    parser.add_argument("--warmup", type=int, default=3, help="first steps that are not measured")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--cuda", action="store_true", help="train on the first CUDA device")
    parser.add_argument("--bf16", action="store_true", help="with autocast to bfloat16")
    parser.add_argument("--compile", action="store_true", help="with torch.compile")
    parser.add_argument("--learning_rate", type=float, default=1e-4)
    parser.add_argument("--json", required=True, type=Path, help="where the figures go")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    batches = measuring.read_rows(options.batches)
    sizes = {len(batch) for batch in batches}
    if len(sizes) != 1:
        raise SystemExit(f"{options.batches}: the batches have {sorted(sizes)} rows; the Trainer's are all of one size")
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    padding = {"padding": "max_length", "max_length": options.pad_to} if options.pad_to else {"padding": True}
    times = StepTimes({options.warmup, len(batches)} if options.cuda else set())
    with tempfile.TemporaryDirectory() as folder:
        trainer = InOrder(
            model=BertForSequenceClassification.from_pretrained(options.model, num_labels=measuring.CLASSES),
            args=TrainingArguments(
                output_dir=folder, use_cpu=not options.cuda, per_device_train_batch_size=sizes.pop(),
                max_steps=len(batches), learning_rate=options.learning_rate, bf16=options.bf16,
                torch_compile=options.compile, save_strategy="no", report_to="none", disable_tqdm=True, seed=12,
                **({"optim": "adamw_torch_fused"} if options.cuda else {})),
            train_dataset=[measuring.features(row) for batch in batches for row in batch],
            data_collator=DataCollatorWithPadding(tokenizer, **padding), callbacks=[times])
        trainer.train()
    steps = [end - start for start, end in zip(times.moments, times.moments[1:])][options.warmup:]
    device = {"peak_device_memory": torch.cuda.max_memory_allocated()} if options.cuda else {}
    measuring.write(options.json, {
        **device,
        "seconds": [sum(steps) / len(steps)] * len(steps) if options.cuda else steps,
        "seconds_to_first_step": times.moments[0] - measuring.STARTED,
        "attention": trainer.model.config._attn_implementation,
    })


if __name__ == "__main__":
    main()
