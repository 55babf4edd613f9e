#!/usr/bin/env python3
"""Trains in two processes over networks of limited bandwidth, and compares the time of a step with the arithmetic of
Documentation/Distributed.md.

    sudo python3 Benchmarks/network.py --mbits 200 500 1000

Each process is in a network namespace of its own and computes in one thread; a token bucket limits what each sends.
Needs root, iproute2, and `make build`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from workbench import PROJECT, BenchmarkError, table

# This process's own, as another may measure at the same time.
SPACES = (f"camtl-{os.getpid()}-a", f"camtl-{os.getpid()}-b")
MASTER = "10.77.0.1"
# As libtorch's DistributedDataParallel has it, and so camtl.
FIRST_BUCKET, BUCKET = 1 << 20, 25 << 20


@dataclass
class Part:
    """Some parameters, and how far the backward pass has come when their gradient is ready: 0 to 1."""

    bytes: int
    ready: float


def parts(model: Path) -> list[Part]:
    """The parameters of a checkpoint that have dense gradients, those first whose gradient is ready first."""
    with open(model, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    header.pop("__metadata__", None)
    layers = 1 + max(int(number) for name in header for number in re.findall(r"encoder\.layer\.(\d+)\.", name))
    result = []
    for name, tensor in header.items():
        if "word_embeddings" in name:
            continue
        layer = re.search(r"encoder\.layer\.(\d+)\.", name)
        is_late = "embeddings" in name or "alignment" in name or "task_transformation" in name
        ready = 1 - int(layer.group(1)) / layers if layer else 1.0 if is_late else 0.0
        first, last = tensor["data_offsets"]
        result.append(Part(last - first, ready))
    return sorted(result, key=lambda part: part.ready)


def expected(forward: float, backward: float, rest: float, model: list[Part], bits: float, processes: int) -> float:
    """Seconds of a step: buckets are sent one after the other, each when all of its gradients are ready.

    A ring sends 2 (n - 1) / n of each bucket from every process.
    """
    per_second = bits / 8
    factor = 2 * (processes - 1) / processes
    free, filled, limit = 0.0, 0, FIRST_BUCKET
    for index, part in enumerate(model):
        filled += part.bytes
        if filled >= limit or index == len(model) - 1:
            free = max(free, part.ready * backward) + factor * filled / per_second
            filled, limit = 0, BUCKET
    return forward + max(backward, free) + rest


def end(processes: list[subprocess.Popen]) -> None:
    """Ends those that still run: they write into a folder, and are in namespaces, that are about to be removed."""
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


class Runs:
    """Runs camtl, and measures the seconds of a step: of those beyond the first few."""

    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options = options
        self.folder = folder
        self.count = 0

    def start(self, steps: int, output: Path, space: str = "", **environment: str) -> subprocess.Popen:
        o = self.options
        command = [] if not space else ["ip", "netns", "exec", space]
        command += [
            o.camtl, "--model_name_or_path", o.model, "--encoder_type", "ca-mtl-base", "--data_dir", o.data_dir,
            "--tasks", "cola", "rte", "mrpc", "sst-2", "--cache_dir", self.folder / "features", "--output_dir", output,
            "--logging_dir", output / "logs", "--overwrite_output_dir", "--do_train", "--max_steps", steps, "--seed",
            "12", "--per_device_train_batch_size", o.batch_size, "--threads", 1, "--save_steps", 10**6]
        return subprocess.Popen(
            [str(word) for word in command], env={**os.environ, **environment}, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, universal_newlines=True)

    def runtime(self, steps: int, count: int, together: bool, spaces: tuple = ("", "")) -> float:
        """Seconds of training of the slowest of `count` processes."""
        self.count += 1
        outputs = [self.folder / f"run-{self.count}-{0 if together else rank}" for rank in range(count)]
        processes = []
        try:
            for rank, output in enumerate(outputs):
                environment = {} if not together else {
                    "RANK": str(rank), "WORLD_SIZE": str(count), "MASTER_PORT": "29555",
                    "MASTER_ADDR": MASTER if spaces[0] else "127.0.0.1",
                    "GLOO_SOCKET_IFNAME": f"camtl{rank}" if spaces[0] else "lo"}
                processes.append(self.start(steps, output, spaces[rank], **environment))
            for process in processes:
                _, messages = process.communicate()
                if process.returncode != 0:
                    raise BenchmarkError(f"camtl failed:\n{messages[-2000:]}")
        finally:
            end(processes)
        times = [json.loads((output / "train_results.json").read_text())["train_runtime"] for output in outputs]
        for output in set(outputs):
            self.model = output / "model.safetensors"
        return max(times)

    def seconds(self, count: int, together: bool, spaces: tuple = ("", "")) -> float:
        few, more = 3, 3 + self.options.steps
        return statistics.median(
            (self.runtime(more, count, together, spaces) - self.runtime(few, count, together, spaces)) / (more - few)
            for _ in range(self.options.rounds))


def ip(*words) -> None:
    result = subprocess.run(["ip", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if result.returncode != 0:
        reason = result.stdout.partition("\n")[0]
        hint = " A container needs --privileged for that." if "permitted" in reason else ""
        raise BenchmarkError(f"the network can't be set up: `ip {' '.join(words)}` failed: {reason}.{hint}")


@contextlib.contextmanager
def network():
    """Two namespaces with a cable between them."""
    added = []
    try:
        for space in SPACES:
            ip("netns", "add", space)
            added.append(space)
        ip("link", "add", "camtl0", "netns", SPACES[0], "type", "veth", "peer", "name", "camtl1", "netns", SPACES[1])
        for rank, space in enumerate(SPACES):
            ip("-n", space, "addr", "add", f"10.77.0.{rank + 1}/24", "dev", f"camtl{rank}")
            ip("-n", space, "link", "set", f"camtl{rank}", "up")
            ip("-n", space, "link", "set", "lo", "up")
        yield
    finally:
        for space in added:
            subprocess.run(["ip", "netns", "del", space], stderr=subprocess.DEVNULL)


def limit(mbits: float) -> None:
    for rank, space in enumerate(SPACES):
        ip(
            "netns", "exec", space, "tc", "qdisc", "replace", "dev", f"camtl{rank}", "root", "tbf", "rate",
            f"{mbits}mbit", "burst", "256kb", "latency", "100ms")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mbits", type=float, nargs="*", default=[200, 500, 1000], help="bandwidths, Mbit/s")
    parser.add_argument("--steps", type=int, default=20, help="training steps to measure")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch_size", type=int, default=32, help="examples of a process's batch")
    parser.add_argument("--data_dir", type=Path, default=PROJECT / "Examples/glue_sample", help="GLUE's folder")
    parser.add_argument("--model", type=Path, default=PROJECT / ".pretrained/minilm", help="a BERT folder")
    parser.add_argument("--camtl", type=Path, default=PROJECT / ".build/release/camtl", help="the program")
    options = parser.parse_args()
    for name in ("steps", "rounds", "batch_size"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} has to be at least 1")
    if not all(0 < mbits < math.inf for mbits in options.mbits):
        parser.error("--mbits have to be above 0")
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("tc"):
        sys.exit("camtl: network namespaces need root and iproute2: run it as root, with ip and tc installed.")
    for path in (options.camtl, options.model, options.data_dir):
        if not path.exists():
            sys.exit(f"camtl: {path} is missing: run make build, or name another place.")
    # A bare name would be looked for in PATH.
    options.camtl = options.camtl.resolve()
    return options


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="camtl-network-") as folder:
        runs = Runs(options, Path(folder))
        alone = runs.seconds(1, together=False)
        beside = runs.seconds(2, together=False)
        loopback = runs.seconds(2, together=True)
        rows = [["", "s/step", "expected", "difference"]]
        rows.append(["one process", f"{alone:.3f}", "", ""])
        rows.append(["two, without a network, each for itself", f"{beside:.3f}", "", ""])
        rows.append(["two together, loopback", f"{loopback:.3f}", "", ""])
        model = parts(runs.model)
        total = sum(part.bytes for part in model)
        with network():
            for mbits in options.mbits:
                limit(mbits)
                measured = runs.seconds(2, together=True, spaces=SPACES)
                # A backward pass has twice the products of a forward pass; the update is some percent of both.
                arithmetic = expected(0.32 * beside, 0.64 * beside, 0.04 * beside, model, mbits * 1e6, 2)
                rows.append([
                    f"two together, {mbits:,.0f} Mbit/s", f"{measured:.3f}", f"{arithmetic:.3f}",
                    f"{measured / arithmetic - 1:+.0%}"])
        print(f"Dense gradients: {total / 1e6:.1f} MB a step. Rounds: {options.rounds}, steps: {options.steps}.\n")
        print(table(rows))
        print(f"\nOf one process's speed each of two keeps {alone / loopback:.0%} over loopback ({alone / beside:.0%} "
              "when they exchange nothing).")


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as problem:
        sys.exit(f"camtl: {problem}")
    except OSError as error:
        sys.exit(f"camtl: the benchmarks can't go on ({error}): make that place usable.")
    except KeyboardInterrupt:
        sys.exit(130)
