"""What the peers' scripts share: clocks, peak memory, and how they hand over their figures."""

from __future__ import annotations

import json
import os
import time
from importlib import metadata
from pathlib import Path

CLASSES = 3


def process_start() -> float:
    """When this process started, on the clock of `now`: Linux tells it in ticks since the machine started."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def now() -> float:
    """Seconds since the machine started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def peak_memory() -> int:
    """The largest resident set of this process so far, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("/proc/self/status has no VmHWM: peak memory is read from Linux.")


def read_rows(path: Path) -> list:
    """The values of a file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def features(row: dict) -> dict:
    """A row of camtl's as the Trainer takes it. A label that is none of the one head's classes is mapped to one."""
    return {
        "input_ids": row["input_ids"],
        "token_type_ids": row["token_type_ids"],
        "attention_mask": [1] * len(row["input_ids"]),
        "label": int(row["label"]) % CLASSES,
    }


def write(path: Path, figures: dict) -> None:
    """Writes the figures, and what is the same for all scripts, as one JSON object."""
    versions = {}
    for package in ("torch", "transformers", "accelerate", "tokenizers"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            pass
    path.write_text(json.dumps({**figures, "peak_memory": peak_memory(), "versions": versions}) + "\n")


STARTED = process_start()
