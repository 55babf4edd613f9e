#!/usr/bin/env python3
"""Measures camtl against its peers in Python on this machine, and writes Benchmarks/RESULTS.md.

    python3 Benchmarks/run.py --data_dir GLUE
    python3 Benchmarks/run.py --data_dir GLUE --only training tokenizer --rounds 5

Needs `make build`. The peers' packages are installed by Scripts/peers.py when they are missing. Without --data_dir the
data is Examples/glue_sample. Sections that aren't measured stay in the file as they are.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
sys.path.insert(0, str(HERE))
from workbench import (  # noqa: E402  (it lies beside this file)
    BenchmarkError, Spread, Workbench, check_output, revision, write)

ENCODER = PROJECT / ".pretrained/minilm"
TITLES = {
    "training": "Training on real lengths",
    "full": "Training at full length",
    "uncertainty": "A step under uncertainty sampling",
    "large": "The large variant",
    "evaluation": "Evaluation and prediction",
    "tokenizer": "Tokenizer",
    "memory": "Memory and start",
    "settings": "Memory by setting",
    "growth": "Growth",
}
INTRODUCTION = """# Benchmarks

Measured by `make bench` ([how](../Documentation/Benchmarks.md)), section by section; below each stands where and with
what. A figure is the median of the rounds, with the least and the greatest in parentheses.
"""


def use_peers_python() -> None:
    """Goes on in the Python that has the peers' packages, if this one doesn't."""
    needed = ("transformers", "accelerate", "matplotlib", "torch")
    if all(importlib.util.find_spec(name) for name in needed) or os.environ.get("CAMTL_BENCH_PYTHON"):
        return
    provided = subprocess.run(
        [sys.executable, PROJECT / "Scripts/peers.py", HERE / "requirements.txt"], stdout=subprocess.PIPE,
        universal_newlines=True)
    if provided.returncode != 0:
        sys.exit(provided.returncode)
    python = provided.stdout.strip()
    os.environ["CAMTL_BENCH_PYTHON"] = python
    os.execv(python, [python, *sys.argv])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="SECTION", help=f"sections to measure: {', '.join(TITLES)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12, help="training steps that a round measures")
    parser.add_argument("--warmup", type=int, default=3, help="training steps before those")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--data_dir", type=Path, default=PROJECT / "Examples/glue_sample", help="GLUE's folder")
    parser.add_argument("--model", type=Path, default=ENCODER, help="a BERT folder")
    parser.add_argument("--camtl", type=Path, default=PROJECT / ".build/release/camtl", help="the program")
    parser.add_argument("--output", type=Path, default=HERE / "RESULTS.md")
    options = parser.parse_args()
    options.only = [name for word in options.only for name in word.split(",") if name]
    unknown = [name for name in options.only if name not in TITLES]
    if unknown:
        parser.error(f"there is no section {', '.join(unknown)}; the sections are {', '.join(TITLES)}")
    for name in ("rounds", "steps", "warmup", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} has to be at least 1")
    for path, missing in [
            (options.camtl, "run make build, or name the program with --camtl"),
            (options.model / "config.json",
             "run make setup, or name a BERT folder with --model" if options.model == ENCODER
             else "--model takes a BERT folder, and no name of the hub"),
            (options.data_dir, "name GLUE's folder with --data_dir")]:
        if not path.exists():
            sys.exit(f"camtl: {path} is missing: {missing}.")
    check_output(options.output)
    return options


def conditions(bench: Workbench, data: Path) -> str:
    """Where and with what a section was measured."""
    machine = bench.reports[0]["machine"]
    peak = Spread.of(report["gemm_peak"] / 1e9 for report in bench.reports).text(0)
    # Sections that measure no training have no steps.
    steps = f", steps of a round: {bench.steps}" if any(report.get("training") for report in bench.reports) else ""
    versions = {"camtl": revision(), "libtorch": bench.reports[0]["libtorch"], **bench.versions,
                "Python": platform.python_version()}
    return (
        f"*{machine['processor']}, {machine['processors']} processors, {machine['memory'] / 1e9:.0f} GB; "
        f"{bench.threads} threads, GEMM peak {peak} GFLOP/s; rounds: {bench.rounds}{steps}; "
        f"model {bench.model.name}, data {data.name}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".*")


def main() -> None:
    options = arguments()
    use_peers_python()
    import growth
    import sections
    with tempfile.TemporaryDirectory(prefix="camtl-benchmarks-") as folder:
        for name in options.only or TITLES:
            print(f"{TITLES[name]}", file=sys.stderr, flush=True)
            place = Path(folder, name)
            place.mkdir()
            bench = Workbench(
                program=options.camtl.resolve(), model=options.model.absolute(), data=options.data_dir.resolve(),
                folder=place, threads=options.threads, rounds=options.rounds, steps=options.steps,
                warmup=options.warmup, plot=options.output.absolute().with_name(f"{options.output.stem}-growth.svg"))
            body = getattr(growth if name == "growth" else sections, name)(bench)
            body += "\n\n" + conditions(bench, bench.data)
            write(options.output, INTRODUCTION, list(TITLES.values()), {TITLES[name]: body})
            print(f"\n## {TITLES[name]}\n\n{body}\n", flush=True)


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as problem:
        sys.exit(f"camtl: {problem}")
    except OSError as error:
        sys.exit(f"camtl: the benchmarks can't go on ({error}): make that place usable.")
    except KeyboardInterrupt:
        sys.exit(130)
