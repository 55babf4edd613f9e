#!/usr/bin/env python3
"""Checks and measures camtl on a CUDA device, and writes Benchmarks/RESULTS-GPU.md.

    make build DEVICE=cuda
    python3 Benchmarks/gpu.py --data_dir GLUE
    python3 Benchmarks/gpu.py --data_dir GLUE --only agreement

Needs a Python with torch for CUDA, transformers and accelerate. Without --data_dir the data is Examples/glue_sample.
All runs on one device, the first of CUDA_VISIBLE_DEVICES. Sections that aren't measured stay in the file as they are.
Ends with status 1 if a bar isn't met.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
sys.path.insert(0, str(HERE))
import made_data  # noqa: E402  (these lie beside this file)
from workbench import BenchmarkError, Spread, Workbench, check_output, revision, table, write  # noqa: E402

# Greatest difference of a loss on the device from that on the CPU, both in float32.
AGREEMENT = 1e-4
# Greatest relative difference of a loss curve from that in float32, over the mean of so many steps at each point.
CURVE, WINDOW = 0.02, 25


def losses(bench: Workbench, steps: int, *flags) -> list[float]:
    """The losses of a training run without dropout."""
    output = bench.folder / "run"
    bench.run([
        bench.program, "--model_name_or_path", bench.model, "--data_dir", bench.data, "--cache_dir",
        bench.folder / "features", "--output_dir", output, "--overwrite_output_dir", "--do_train", "--encoder_type",
        "ca-mtl-base", "--max_seq_length", bench.max_length, "--per_device_train_batch_size", bench.batch_size,
        "--learning_rate", "1e-4", "--seed", "12", "--dropout", "0", "--max_steps", steps, "--logging_steps", "1",
        *flags], "camtl")
    history = json.loads((output / "trainer_state.json").read_text())["log_history"]
    return [entry["loss"] for entry in history if "loss" in entry]


def agreement(bench: Workbench, options: argparse.Namespace) -> tuple[str, bool]:
    steps = options.agreement_steps
    difference = max(
        abs(a - b) for a, b in zip(losses(bench, steps), losses(bench, steps, "--no_cuda"), strict=True))
    return (
        f"The losses of {steps} updates in float32, TF32 off, differ by at most {difference:.1e} from those on the "
        f"CPU (at most {AGREEMENT:.0e} is asked for).\n", difference <= AGREEMENT)


def curves(bench: Workbench, options: argparse.Namespace) -> tuple[str, bool]:
    steps = options.curve_steps

    def smooth(values: list[float]) -> list[float]:
        return [statistics.fmean(values[at:at + WINDOW]) for at in range(0, len(values) - WINDOW + 1, WINDOW)]
    exact = smooth(losses(bench, steps))
    rows = [["", "greatest difference from float32", "last loss", "in float32"]]
    passes = True
    for flag in ("--bf16", "--fp16"):
        curve = smooth(losses(bench, steps, flag))
        difference = max(abs(a - b) / b for a, b in zip(curve, exact, strict=True))
        passes = passes and difference <= CURVE
        rows.append([f"`{flag}`", f"{difference:.2%}", f"{curve[-1]:.4f}", f"{exact[-1]:.4f}"])
    return (
        f"Loss curves over {steps} updates, in means of {WINDOW}; at most {CURVE:.0%} is asked for.\n\n" + table(rows),
        passes)


def speed(bench: Workbench, options: argparse.Namespace) -> tuple[str, bool]:
    bench.model = made_data.resize(bench.model, bench.folder / "base", options.hidden, options.layers)
    # Within one epoch, whose last batch alone may be smaller: the Trainer's are all of one size.
    needed = (options.warmup + options.steps) * max(options.batch_sizes)
    real = made_data.with_rows(bench.data, bench.folder / "real", needed)
    full = made_data.lengthen(bench.data, bench.folder / "lengthened", words=bench.max_length, rows=2000)
    full = made_data.with_rows(full, bench.folder / "full", needed)
    rows = [["rows", "batch", "", "examples/s", "% of bf16 peak", "peak device memory, GB", "times Trainer"]]
    for name, data in (("real lengths", real), (f"all {bench.max_length}", full)):
        for size in options.batch_sizes:
            rows += compare(bench, data, name, size)
    return "BERT-base's shape with random weights, bf16; the Trainer with SDPA and fused AdamW.\n\n" + table(rows), True


def compare(bench: Workbench, data: Path, name: str, size: int) -> list[list[str]]:
    bench.batch_size = size
    batches = bench.folder / f"batches-{size}.jsonl"
    measured = ("--measure", "training", "--bf16")

    def camtl(kind: str, *flags):
        return bench.bench("--encoder_type", kind, *measured, *flags, data=data)

    def trainer(*flags):
        return bench.peer(
            "trainer.py", "--batches", batches, "--threads", bench.threads, "--warmup", bench.warmup, "--cuda",
            "--bf16", *flags)
    camtl("bert", "--write_batches", batches)
    results = bench.interleaved({
        "camtl, ca-mtl-base": lambda: camtl("ca-mtl-base"), "camtl, bert": lambda: camtl("bert"),
        "Trainer": lambda: trainer(), "Trainer, torch.compile": lambda: trainer("--compile")})

    def rate(report: dict) -> float:
        seconds = report["training"][0]["seconds"] if "training" in report else report["seconds"]
        return size / statistics.fmean(seconds)

    def share(report: dict) -> float:
        training = report["training"][0]
        return 100 * sum(training["operations"]) / sum(training["seconds"]) / report["gemm_peak"]
    peers = [rate(report) for report in results["Trainer"]]
    return [
        [name, str(size), contender, Spread.of(map(rate, reports)).text(),
         Spread.of(map(share, reports)).text(1) if "training" in reports[0] else "",
         f"{max(report['peak_device_memory'] for report in reports) / 1e9:.1f}",
         Spread.of(rate(report) / peer for report, peer in zip(reports, peers)).text(2)]
        for contender, reports in results.items()]


SECTIONS = {"agreement": agreement, "curves": curves, "speed": speed}
TITLES = {"agreement": "Float32", "curves": "Half precision", "speed": "Speed"}
INTRODUCTION = """# On a GPU

Measured by `python3 Benchmarks/gpu.py` ([how](../Documentation/Benchmarks.md)), section by section; below each stands
on what.
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=list(SECTIONS), choices=SECTIONS, metavar="SECTION",
                        help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=50, help="steps that a round measures")
    parser.add_argument("--warmup", type=int, default=10, help="steps before those")
    parser.add_argument("--agreement_steps", type=int, default=20, help="updates on the device and on the CPU")
    parser.add_argument("--curve_steps", type=int, default=300, help="updates in each precision")
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--hidden", type=int, default=768, help="the hidden size of the encoder that is timed")
    parser.add_argument("--layers", type=int, default=12, help="its layers")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--data_dir", type=Path, default=PROJECT / "Examples/glue_sample", help="GLUE's folder")
    parser.add_argument("--model", type=Path, default=PROJECT / ".pretrained/minilm", help="a BERT folder")
    parser.add_argument("--camtl", type=Path, default=PROJECT / ".build/release/camtl", help="the program")
    parser.add_argument("--output", type=Path, default=HERE / "RESULTS-GPU.md")
    options = parser.parse_args()
    for name in ("rounds", "steps", "warmup", "agreement_steps", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} has to be at least 1")
    if min(options.batch_sizes) < 1:
        parser.error("--batch_sizes have to be at least 1")
    if options.curve_steps < WINDOW:
        parser.error(f"--curve_steps has to be at least {WINDOW}: the curves are means of so many steps")
    check_output(options.output)
    return options


def driver() -> str:
    """The version of NVIDIA's driver."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout.split()[0]
    except (FileNotFoundError, subprocess.CalledProcessError):
        raise BenchmarkError("nvidia-smi is missing or finds no GPU: run this on a machine with one.") from None


def workbench(options: argparse.Namespace, folder: str) -> Workbench:
    """One whose programs see one device: the Trainer would spread its batches over all that it sees."""
    device = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    return Workbench(
        program=options.camtl.resolve(), model=options.model.absolute(), data=options.data_dir.resolve(),
        folder=Path(folder), threads=options.threads, rounds=options.rounds, steps=options.steps,
        warmup=options.warmup, environment={"CUDA_VISIBLE_DEVICES": device})


def try_device(options: argparse.Namespace) -> dict:
    """The report of a short benchmark, which says what camtl computes on.

    A program that is built for the CPU would pass: it agrees with itself.
    """
    with tempfile.TemporaryDirectory(prefix="camtl-gpu-") as folder:
        bench = workbench(options, folder)
        bench.warmup = 1
        report = bench.bench("--encoder_type", "bert", "--measure", "training", "--tasks", "rte", steps=1)
    if not report["device"].startswith("cuda"):
        raise BenchmarkError(
            f"{options.camtl} computes on the CPU: it is built for it (make build DEVICE=cuda), or "
            "CUDA_VISIBLE_DEVICES hides the GPU.")
    return report


def conditions(bench: Workbench, tried: dict, driver_version: str) -> str:
    """On what a section was measured."""
    versions = {"driver": driver_version, "camtl": revision(), "libtorch": tried["libtorch"], **bench.versions}
    return (
        f"*{tried['device']}; {tried['machine']['processor']}, {bench.threads} threads; data {bench.data.name}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".*")


def main() -> int:
    options = arguments()
    driver_version = driver()
    tried = try_device(options)
    passes = True
    for name in options.only:
        print(TITLES[name], file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="camtl-gpu-") as folder:
            bench = workbench(options, folder)
            body, passed = SECTIONS[name](bench, options)
        passes = passes and passed
        body = body.rstrip() + ("" if passed else "\n\n**The bar is not met.**")
        body += "\n\n" + conditions(bench, tried, driver_version)
        # Kept section by section: what comes next may not end well.
        write(options.output, INTRODUCTION, list(TITLES.values()), {TITLES[name]: body})
        print(f"\n## {TITLES[name]}\n\n{body}\n", flush=True)
    return 0 if passes else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BenchmarkError, OSError) as problem:
        sys.exit(f"camtl: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
