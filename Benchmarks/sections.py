"""The sections of RESULTS.md: each measures, and returns its Markdown."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import made_data
from workbench import Spread, Workbench, ratio, table

BASE = ("--encoder_type", "ca-mtl-base")
BERT = ("--encoder_type", "bert")
TRAINING = ("--measure", "training")
INT8 = ("--eval_precision", "int8")
# Steps of training in which inexact picks are compared with exact ones.
COMPARED_STEPS = 200


def steps(report: dict, number: int = 0) -> dict:
    """The steps of a sampling that `camtl bench` measured."""
    return report["training"][number]


def share(report: dict, number: int = 0) -> float:
    """The share of the GEMM peak in percent, over the median step."""
    training = steps(report, number)
    rates = [operations / seconds for operations, seconds in zip(training["operations"], training["seconds"])]
    return 100 * statistics.median(rates) / report["gemm_peak"]


def check_same_rows(report: dict, batches: Path) -> None:
    """The batches written first are those that were measured now."""
    lines = [json.loads(line) for line in batches.read_text().splitlines()]
    tokens = [sum(len(row["input_ids"]) for row in batch) for batch in lines]
    assert tokens[-len(steps(report)["tokens"]):] == steps(report)["tokens"], "camtl drew other batches than it wrote"


def compare_training(bench: Workbench, data: Path, paddings: dict[str, tuple]) -> str:
    """Both of camtl's encoders against the Trainer with each padding, on the same batches."""
    batches = bench.folder / "batches.jsonl"
    check_same_rows(bench.bench(*BERT, *TRAINING, "--write_batches", batches, data=data), batches)
    peer = ("--batches", batches, "--threads", bench.threads, "--warmup", bench.warmup)
    contenders = {
        "camtl, ca-mtl-base": lambda: bench.bench(*BASE, *TRAINING, data=data),
        "camtl, bert": lambda: bench.bench(*BERT, *TRAINING, data=data),
        **{name: lambda flags=flags: bench.peer("trainer.py", *peer, *flags) for name, flags in paddings.items()},
    }
    results = bench.interleaved(contenders)
    tokens = statistics.mean(steps(results["camtl, bert"][0])["tokens"])
    rows = [["", "s/step", "examples/s", "tokens/s", "% of GEMM peak"] + [f"times {name}" for name in paddings]]
    for name, reports in results.items():
        is_ours = name.startswith("camtl")
        seconds = [steps(report)["seconds"] if is_ours else report["seconds"] for report in reports]
        medians = Spread.of(map(statistics.median, seconds))
        ratios = [
            Spread.of(ratio(there["seconds"], here) for there, here in zip(results[other], seconds)).text(2)
            for other in paddings]
        rows.append([
            name, medians.text(), f"{bench.batch_size / medians.median:,.1f}", f"{tokens / medians.median:,.0f}",
            Spread.of(map(share, reports)).text(1) if is_ours else ""] + ratios)
    return f"Batches of {bench.batch_size} rows with {tokens:,.0f} tokens on average.\n\n" + table(rows)


def training(bench: Workbench) -> str:
    paddings = {
        "Trainer, padded to the longest": (), f"Trainer, padded to {bench.max_length}": ("--pad_to", bench.max_length)}
    return (
        "Proportional sampling over all tasks, dropout on. Each round is a process of each, on the same rows in the "
        "same order; a round's ratio is the median over its steps.\n\n" + compare_training(bench, bench.data, paddings))


def full(bench: Workbench) -> str:
    data = made_data.lengthen(bench.data, bench.folder / "full", words=bench.max_length, rows=1000)
    return (
        f"The same tasks with every text repeated, so that each row has {bench.max_length} tokens and nobody pads.\n\n"
        + compare_training(bench, data, {"Trainer": ()}))


def uncertainty(bench: Workbench) -> str:
    full = made_data.lengthen(bench.data, bench.folder / "equal", words=bench.max_length, rows=1000)

    def run_of(*flags, **data):
        return lambda: bench.bench(*BASE, *TRAINING, "--sampling", "uncertainty", *flags, **data)
    results = bench.interleaved({
        "uncertainty": run_of(),
        "uncertainty, scored without dropout": run_of("--uncertainty_dropout", "off"),
        "uncertainty, scored in int8": run_of("--uncertainty_scoring", "int8"),
        "rows of one length, uncertainty": run_of(data=full),
        "rows of one length, uncertainty, scored in int8": run_of("--uncertainty_scoring", "int8", data=full)})
    compared = bench.bench(
        *BASE, *TRAINING, "--sampling", "uncertainty", "--uncertainty_scoring", "int8", "--bench_picks",
        str(COMPARED_STEPS))["picks"]
    rows = [["ca-mtl-base", "s/step", "GFLOP a step", "% of GEMM peak", "operations", "time"]]

    def add(name, reports, number):
        def median(report, sampling, figure):
            return statistics.median(steps(report, sampling)[figure])

        def times_uniform(figure):
            return Spread.of(median(report, number, figure) / median(report, 0, figure) for report in reports).text(2)
        rows.append([
            name, Spread.of(median(report, number, "seconds") for report in reports).text(),
            f"{median(reports[0], number, 'operations') / 1e9:,.1f}",
            Spread.of(share(report, number) for report in reports).text(1), times_uniform("operations"),
            times_uniform("seconds")])
    for name, reports in results.items():
        if name.endswith("uncertainty"):
            add(name.replace("uncertainty", "uniform"), reports, 0)
        add(name, reports, 1)
    tasks = len(results["uncertainty"][0]["tasks"])
    return (
        f"A step under uncertainty sampling scores {tasks} × {bench.batch_size} candidates and trains on "
        f"{bench.batch_size} of them. Each process also measures uniform steps; the last two columns are times theirs. "
        "Of real rows the model is less sure of longer ones, so that it trains on more tokens than a uniform step has; "
        f"where all rows have {bench.max_length} tokens, a step is {1 + tasks / 3:.2g} times a uniform one but for the "
        "last layer.\n\n" + table(rows)
        + f"\n\nOver {COMPARED_STEPS} training steps {compared['equal'] / compared['picked']:.1%} of the picks of int8 "
        "scoring were those of exact scoring under the same dropout.")


def large(bench: Workbench) -> str:
    layers, hidden = 12, 768
    shapes = {
        "pretrained layers, half of them frozen": (
            made_data.deepen(bench.model, bench.folder / "deep", layers), f"0-{layers // 2 - 1}", bench.batch_size),
        f"{hidden} wide, feed-forward parts {hidden // 4}, all layers frozen": (
            made_data.resize(bench.model, bench.folder / "narrow", hidden, layers, intermediate=hidden // 4),
            f"0-{layers - 1}", 4 * bench.batch_size)}
    contenders = {}
    for shape, (model, frozen, batch) in shapes.items():
        def run_of(*flags, model=model, frozen=frozen, batch=batch):
            return lambda: bench.bench(
                "--encoder_type", "ca-mtl-large", *TRAINING, "--model_name_or_path", model, "--freeze_encoder_layers",
                frozen, "--per_device_train_batch_size", batch, *flags)
        contenders[f"{shape}, batches of {batch}; chain where it is read"] = run_of()
        contenders[f"{shape}, batches of {batch}; chain at every position"] = run_of("--every_position")
    results = bench.interleaved(contenders)
    rows = [[f"ca-mtl-large, {layers} layers", "s/step", "GFLOP a step", "% of GEMM peak", "times"]]
    for name, reports in results.items():
        seconds = [steps(report)["seconds"] for report in reports]
        if name.endswith("where it is read"):
            ours = seconds
        rows.append([
            name, Spread.of(map(statistics.median, seconds)).text(),
            f"{statistics.median(steps(reports[0])['operations']) / 1e9:,.1f}",
            Spread.of(map(share, reports)).text(1),
            Spread.of(ratio(there, here) for there, here in zip(seconds, ours)).text(2)])
    return (
        f"The encoder with its layers repeated to be {layers}; and one drawn at random, whose layers are as small "
        "beside the chain of bottlenecks as narrow feed-forward parts make them, in batches so large that the "
        "optimiser's work is small, too. At every position the chain and the last layer are computed as the original "
        "does; the operations counted are those that are needed.\n\n" + table(rows))


def rates(results: dict[str, list[dict]], peer: str, sizes: tuple, shares: dict[str, str]) -> str:
    """Examples a second of camtl's contenders, in batches of 32, and of the peer in batches of each size, held against
    the peer at its best; `shares` are camtl's of the GEMM peak, or none."""
    peers = {
        f"{peer}, batches of {size}": [report["examples"] / report["seconds"][str(size)] for report in results[peer]]
        for size in sizes}
    best = max(peers, key=lambda name: statistics.median(peers[name]))
    rows = [["", "examples/s", *(["% of GEMM peak"] if shares else []), f"times {best}"]]

    def add(name, values, share):
        rows.append([
            name, Spread.of(values).text(), *([share] if shares else []),
            Spread.of(a / b for a, b in zip(values, peers[best])).text(2)])
    for name, reports in results.items():
        if name != peer:
            values = [report["examples"] / report["seconds"] for report in reports]
            add(f"{name}, batches of 32", values, shares.get(name))
    for name, values in peers.items():
        add(name, values, "")
    return table(rows)


def evaluation(bench: Workbench) -> str:
    sizes = (8, 32)
    rows_file = bench.folder / "eval.jsonl"

    def ours(*flags):
        report = bench.bench(
            "--measure", "evaluation", "--per_device_eval_batch_size", 32, "--bench_examples", 1024, *flags)
        return {"gemm_peak": report["gemm_peak"], **report["evaluation"]}
    ours(*BERT, "--write_eval_rows", rows_file)
    contenders = {
        "camtl, ca-mtl-base": BASE, "camtl, ca-mtl-base, `--eval_precision int8`": (*BASE, *INT8),
        "camtl, bert": BERT}
    results = bench.interleaved({
        **{name: lambda flags=flags: ours(*flags) for name, flags in contenders.items()},
        "Trainer": lambda: bench.peer(
            "evaluation.py", "--rows", rows_file, "--batch_sizes", *sizes, "--threads", bench.threads)})
    shares = {
        name: Spread.of(
            100 * report["operations"] / report["seconds"] / report["gemm_peak"] for report in results[name]).text(1)
        for name in contenders}
    return (
        "Rows of all dev sets, spread over each; the Trainer's `predict` pads to the longest of a batch, takes the "
        "rows in their order, as it does by default, and is compared at the better of its batch sizes. The GEMM peak "
        "is float32's, for int8 too.\n\n"
        + rates(results, "Trainer", sizes, shares) + "\n\n" + prediction(bench, sizes))


def prediction(bench: Workbench, sizes: tuple) -> str:
    """`camtl predict` against the pipeline, on the same texts with the same weights."""
    texts, model = bench.folder / "texts.jsonl", bench.folder / "trained"
    bench.bench(*BERT, "--measure", "tokenizer", "--tasks", "mrpc", "--write_texts", texts)
    bench.run([
        bench.program, "--model_name_or_path", bench.model, *BERT, "--data_dir", bench.data, "--tasks", "mrpc",
        "--do_train", "--max_steps", 1, "--output_dir", model, "--logging_dir", bench.folder / "logs", "--cache_dir",
        bench.folder / "features", "--max_seq_length", bench.max_length, "--threads", bench.threads], "camtl")
    bench.run([
        bench.program, "convert", "--model_name_or_path", model, "--output_dir", bench.folder / "converted"],
        "camtl convert")
    rows, one = bench.folder / "rows.jsonl", bench.folder / "one.jsonl"
    lines = texts.read_text(encoding="utf-8").splitlines(keepends=True)[:1024]
    rows.write_text("".join(lines), encoding="utf-8")
    one.write_text(lines[0], encoding="utf-8")

    def ours(*flags):
        def predict(input):
            return bench.run([
                bench.program, "predict", "--model_name_or_path", model, "--input", input, "--output",
                bench.folder / "predictions.jsonl", "--per_device_eval_batch_size", 32, *flags], "camtl predict")
        return {"seconds": predict(rows) - predict(one), "examples": len(lines) - 1}
    results = bench.interleaved({
        "`camtl predict`": ours, "`camtl predict --eval_precision int8`": lambda: ours(*INT8),
        "`pipeline`": lambda: bench.peer(
            "pipeline.py", "--rows", rows, "--max_length", bench.max_length, "--batch_sizes", *sizes, "--threads",
            bench.threads, model=bench.folder / "converted/mrpc")})
    return (
        f"`camtl predict` and transformers' `pipeline`, {len(lines)} pairs of MRPC from text to probabilities, with "
        "the same weights (`camtl convert`). camtl's time is that of a process less that of one with a single row.\n\n"
        + rates(results, "`pipeline`", sizes, {}))


def tokenizer(bench: Workbench) -> str:
    texts = bench.folder / "tokenizer.jsonl"
    bench.bench(*BERT, "--measure", "tokenizer", "--write_texts", texts)
    settings = bench.model / "tokenizer_config.json"
    is_cased = settings.exists() and not json.loads(settings.read_text()).get("do_lower_case", True)
    results = bench.interleaved({
        "camtl": lambda: bench.bench(*BERT, "--measure", "tokenizer")["tokenizer"],
        "tokenizers": lambda: bench.peer(
            "tokenizers_peer.py", "--texts", texts, "--max_length", bench.max_length, "--passes", 2,
            *(["--cased"] if is_cased else []))})
    reports = results["tokenizers"]
    peers = {name: [min(report["seconds"][name]) for report in reports] for name in reports[0]["seconds"]}
    best = min(peers, key=lambda name: statistics.median(peers[name]))
    figures = results["camtl"][0]
    assert figures["tokens"] == reports[0]["tokens"], "the tokenizers differ"
    rows = [["one thread", "MB/s", "million tokens/s", f"times {best}"]]
    for name, seconds in {"camtl": [min(figure["seconds"]) for figure in results["camtl"]], **peers}.items():
        rows.append([
            name if name == "camtl" else f"`tokenizers`, {name}",
            Spread.of(figures["bytes"] / each / 1e6 for each in seconds).text(),
            Spread.of(figures["tokens"] / each / 1e6 for each in seconds).text(),
            Spread.of(a / b for a, b in zip(peers[best], seconds)).text(1)])
    return (
        f"{figures['rows']:,} rows of the training sets, {figures['bytes'] / 1e6:,.1f} MB, {figures['tokens']:,} "
        f"tokens, cut at {bench.max_length}; the ids are as many with both. Each round's best pass.\n\n" + table(rows))


def memory(bench: Workbench) -> str:
    batches = bench.folder / "few.jsonl"
    # Enough for the peak.
    bench.steps = 5
    bench.bench(*BERT, *TRAINING, "--write_batches", batches)
    results = bench.interleaved({
        "camtl, ca-mtl-base": lambda: bench.bench(*BASE, *TRAINING),
        "camtl, bert": lambda: bench.bench(*BERT, *TRAINING),
        "Trainer": lambda: bench.peer(
            "trainer.py", "--batches", batches, "--threads", bench.threads, "--warmup", bench.warmup),
        "loading": lambda: {
            "camtl": bench.run([bench.program, "--help"], "camtl"),
            "torch": bench.run([sys.executable, "-c", "import torch"], "Python")}})
    loading = results.pop("loading")
    trainer = results["Trainer"]
    rows = [["", "peak memory of training, MB", "of the Trainer's", "first step after, s"]]
    for name, reports in results.items():
        peaks = [report.get("peak_memory_of_training", report["peak_memory"]) for report in reports]
        rows.append([
            name, Spread.of(peak / 1e6 for peak in peaks).text(0),
            Spread.of(peak / other["peak_memory"] for peak, other in zip(peaks, trainer)).text(2),
            Spread.of(report["seconds_to_first_step"] for report in reports).text(2)])
    rows.append(["`camtl --help`: loading libtorch", "", "", Spread.of(each["camtl"] for each in loading).text(2)])
    rows.append(["`python -c 'import torch'`", "", "", Spread.of(each["torch"] for each in loading).text(2)])
    return "Batches of real lengths; from the start of the process, with warm caches.\n\n" + table(rows)


def settings(bench: Workbench) -> str:
    bench.rounds = bench.warmup = bench.steps = 1
    data = made_data.lengthen(bench.data, bench.folder / "whole", words=bench.max_length, rows=100)
    rows = [["", "layers × hidden", "batch", "flags", "parameters, millions", "peak memory, GB"]]
    for kind, hidden, layers in (("ca-mtl-base", 768, 12), ("ca-mtl-large", 1024, 24)):
        model = made_data.resize(bench.model, bench.folder / kind, hidden, layers)
        for size in (8, 32):
            for flags in ((), ("--freeze_encoder_layers", f"0-{layers // 2 - 1}"),
                          ("--gradient_checkpointing",)):
                print(f"    {kind}, batches of {size} {' '.join(flags)}", file=sys.stderr, flush=True)
                report = bench.bench(
                    "--encoder_type", kind, *TRAINING, "--model_name_or_path", model, "--per_device_train_batch_size",
                    size, *flags, data=data)
                rows.append([
                    kind, f"{layers} × {hidden}", str(size), f"`{' '.join(flags)}`" if flags else "",
                    f"{report['parameters'] / 1e6:,.0f}", f"{report['peak_memory_of_training'] / 1e9:.1f}"])
    return (
        f"One step after one of warm-up, of batches whose rows all have {bench.max_length} tokens, with weights drawn "
        "at random; one run each, the whole process.\n\n" + table(rows))
