"""The section on growth: more rows, more tasks, longer rows."""

from __future__ import annotations

import shutil
import statistics
from pathlib import Path

import made_data
from sections import BASE, BERT, TRAINING, share, steps
from workbench import Spread, Workbench, table

TIMES = (1, 2, 4, 8)
TASKS = (3, 6, 12, 24)
COPIED = ("sst-2", "qnli", "mrpc")
LENGTHS = {"ca-mtl-base": (16, 32, 64, 128, 192, 384), "bert": (16, 32, 64, 128, 256, 512)}
TOKENS = 4096


def growth(bench: Workbench) -> str:
    curves = {"rows": rows_curve(bench), "tasks": tasks_curve(bench)}
    lengths = {kind: lengths_curve(bench, kind) for kind in LENGTHS}
    draw({**curves, **{f"length, {kind}": points for kind, points in lengths.items()}}, bench.plot)
    parts = [
        "Training steps: the time a token takes, the share of the GEMM peak, and the process' peak memory, which are "
        f"to stay as they are.\n\n![the curves]({bench.plot.name})",
        "More rows (each training file's as often as that; `ca-mtl-base`, batches of real lengths):\n\n"
        + as_table("rows", curves["rows"]),
        f"More tasks ({', '.join(COPIED)} and copies of them; `ca-mtl-base`):\n\n" + as_table("tasks", curves["tasks"]),
    ]
    for kind, points in lengths.items():
        parts.append(
            f"Longer rows (`{kind}`, all rows of that length, batches of {TOKENS:,} tokens):\n\n"
            + as_table("length", points))
    return "\n\n".join(parts)


def measured(bench: Workbench, contenders: dict) -> dict:
    """By the contenders' names: microseconds a token, percent of the peak, bytes."""
    points = {}
    for name, reports in bench.interleaved(contenders).items():
        points[name] = {
            "time": Spread.of(
                1e6 * statistics.median(
                    seconds / tokens for seconds, tokens in zip(steps(report)["seconds"], steps(report)["tokens"]))
                for report in reports),
            "operations": sum(steps(reports[0])["operations"]) / sum(steps(reports[0])["tokens"]),
            "share": Spread.of(map(share, reports)),
            "memory": Spread.of(report["peak_memory_of_training"] for report in reports),
        }
    return points


def rows_curve(bench: Workbench) -> dict:
    folders = {1: bench.data}
    for times in TIMES[1:]:
        folders[times] = made_data.multiply(bench.data, bench.folder / f"rows{times}", times)
    counts = {}
    for times, folder in folders.items():
        # Encodes the rows, so that what is measured later finds them in the cache.
        bench.bench(*BASE, *TRAINING, data=folder, steps=1)
        counts[times] = sum(
            sum(1 for _ in path.open("rb")) - (path.parent.name != "CoLA") for path in folder.glob("*/train.tsv"))
    points = measured(bench, {
        f"{counts[times]:,}": lambda folder=folder: bench.bench(*BASE, *TRAINING, data=folder)
        for times, folder in folders.items()})
    for times in TIMES[1:]:
        shutil.rmtree(folders[times])
    return points


def tasks_curve(bench: Workbench) -> dict:
    return measured(bench, {
        str(count): lambda count=count: bench.bench(
            *BASE, *TRAINING, "--sampling", "uniform", "--task_count", count, "--tasks", *COPIED)
        for count in TASKS})


def lengths_curve(bench: Workbench, kind: str) -> dict:
    folder = bench.folder / "long"
    if not folder.exists():
        made_data.lengthen(bench.data, folder, words=max(map(max, LENGTHS.values())), rows=500)

    def contender(length):
        return lambda: bench.bench(
            "--encoder_type", kind, *TRAINING, "--max_seq_length", length, "--per_device_train_batch_size",
            TOKENS // length, data=folder)
    return measured(bench, {str(length): contender(length) for length in LENGTHS[kind]})


def as_table(name: str, points: dict) -> str:
    first = next(iter(points.values()))
    rows = [[name, "µs a token", "of the first", "MFLOP a token", "% of GEMM peak", "peak memory, MB"]]
    for label, point in points.items():
        rows.append([
            label, point["time"].text(), f"{point['time'].median / first['time'].median:.2f}",
            f"{point['operations'] / 1e6:,.1f}", point["share"].text(1), f"{point['memory'].median / 1e6:,.0f}"])
    return table(rows)


def draw(curves: dict, file: Path) -> None:
    import matplotlib
    matplotlib.use("svg")
    # The same figures give the same file.
    matplotlib.rcParams["svg.hashsalt"] = "camtl"
    from matplotlib import pyplot
    figure, panels = pyplot.subplots(2, len(curves), figsize=(3.4 * len(curves), 5.2), layout="constrained")
    for column, (name, points) in zip(panels.T, curves.items()):
        places = range(len(points))
        time = [point["time"] for point in points.values()]
        column[0].errorbar(
            places, [spread.median for spread in time], capsize=3, marker="o", yerr=[
                [spread.median - min(spread.values) for spread in time],
                [max(spread.values) - spread.median for spread in time]])
        column[1].plot(places, [point["memory"].median / 1e6 for point in points.values()], marker="o", color="C1")
        for panel, label in zip(column, ("µs a token", "peak memory, MB")):
            panel.set_ylim(bottom=0)
            panel.set_xticks(list(places), list(points), fontsize="small", rotation=30)
            panel.set_ylabel(label)
            panel.grid(alpha=0.3)
        column[0].set_title(name)
    temporary = file.with_name(f".{file.name}.partial")
    figure.savefig(temporary, format="svg", metadata={"Date": None})
    temporary.replace(file)
