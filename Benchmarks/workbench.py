"""Runs camtl and its peers as processes, in turns, and keeps what they measured."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent


class BenchmarkError(Exception):
    """A problem that the user can solve; the message is the one sentence they see."""


@dataclass
class Workbench:
    """What all sections measure with. `folder` is a temporary one."""

    program: Path
    model: Path
    data: Path
    folder: Path
    threads: int
    rounds: int
    steps: int
    warmup: int
    batch_size: int = 32
    max_length: int = 128
    # Where the plot of growth goes.
    plot: Optional[Path] = None
    # Variables for all programs, besides those of this process.
    environment: dict = field(default_factory=dict)
    reports: list = field(default_factory=list)
    versions: dict = field(default_factory=dict)

    def run(self, command: list, title: str) -> float:
        """Runs a command; the seconds it took."""
        environment = {
            **os.environ, "OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads),
            "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TOKENIZERS_PARALLELISM": "false",
            "PYTHONDONTWRITEBYTECODE": "1", **self.environment}
        start = time.monotonic()
        # In the folder, so that nothing is left where the user is.
        result = subprocess.run(
            [str(word) for word in command], cwd=self.folder, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, universal_newlines=True)
        seconds = time.monotonic() - start
        if result.returncode != 0:
            raise BenchmarkError(f"{title} failed with status {result.returncode}:\n{result.stdout[-2000:]}")
        return seconds

    def bench(self, *flags, data: Path = None, steps: int = None) -> dict:
        """What `camtl bench` measured."""
        figures = self.folder / "camtl.json"
        self.run([
            self.program, "bench", "--model_name_or_path", self.model, "--data_dir", data or self.data,
            "--cache_dir", self.folder / "features", "--max_seq_length", self.max_length,
            "--per_device_train_batch_size", self.batch_size, "--learning_rate", "1e-4", "--seed", "12",
            "--threads", self.threads, "--bench_steps", steps or self.steps, "--bench_warmup", self.warmup,
            "--json", figures, *flags], "camtl bench")
        report = json.loads(figures.read_text())
        self.reports.append(report)
        return report

    def peer(self, script: str, *flags, model: Path = None) -> dict:
        """What a script beside this file measured."""
        figures = self.folder / "peer.json"
        self.run([
            sys.executable, HERE / script, "--model", model or self.model, "--json", figures, *flags], script)
        report = json.loads(figures.read_text())
        self.versions.update(report["versions"])
        return report

    def interleaved(self, contenders: dict[str, Callable[[], dict]]) -> dict[str, list[dict]]:
        """Runs each contender once a round, in turns: what slows the machine down slows all of them."""
        results: dict[str, list[dict]] = {name: [] for name in contenders}
        for number in range(self.rounds):
            for name, contender in contenders.items():
                print(f"    round {number + 1} of {self.rounds}: {name}", file=sys.stderr, flush=True)
                results[name].append(contender())
        return results


@dataclass(frozen=True)
class Spread:
    """A figure of several rounds."""

    values: tuple[float, ...]

    @staticmethod
    def of(values) -> Spread:
        return Spread(tuple(values))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def text(self, digits: int = None) -> str:
        """The median, and from the least to the greatest."""
        if digits is None:
            size = abs(self.median)
            digits = 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0
        shown = f"{self.median:,.{digits}f}"
        if len(self.values) > 1:
            shown += f" ({min(self.values):,.{digits}f}–{max(self.values):,.{digits}f})"
        return shown


def ratio(slow: list, fast: list) -> float:
    """How many times as long as the other the one took over the same steps: the median over the steps."""
    return statistics.median(a / b for a, b in zip(slow, fast))


def table(rows: list[list[str]]) -> str:
    """Markdown; the first row is the header."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" + "---:|" * (len(rows[0]) - 1))
    return "\n".join(lines)


def revision() -> str:
    """The commit that is measured, if this is a checkout."""
    def git(*words):
        result = subprocess.run(
            ["git", "-C", PROJECT, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True)
        return result.stdout.strip() if result.returncode == 0 else ""
    changed = git("status", "--porcelain", "--untracked-files=no", "--", "Sources", "Package.swift")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


def check_output(output: Path) -> None:
    """Finds, before anything is measured, that the results can't be written."""
    if output.is_dir():
        raise BenchmarkError(f"{output} is a folder: name a file with --output.")
    if not output.parent.is_dir():
        raise BenchmarkError(f"{output.parent} is no folder: make it, or name another file with --output.")
    if not os.access(output.parent, os.W_OK):
        raise BenchmarkError(f"{output.parent} can't be written to: name another file with --output.")


def write(output: Path, introduction: str, titles: list[str], measured: dict[str, str]) -> None:
    """Puts the sections in place of those of their titles, and all in the titles' order; whole or not at all."""
    sections = {}
    if output.exists():
        for part in output.read_text(encoding="utf-8").split("\n## ")[1:]:
            title, _, body = part.partition("\n")
            sections[title] = body.strip()
    sections.update(measured)
    text = introduction + "".join(
        f"\n## {title}\n\n{sections[title].strip()}\n" for title in titles if title in sections)
    temporary = output.with_name(f".{output.name}.partial")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(output)
