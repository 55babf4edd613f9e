"""Folders made from others: of GLUE with every row too long to be anything but cut, and with more rows; of an encoder
with more layers, or of another size.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Callable, Iterator

from workbench import BenchmarkError

TEXT_COLUMNS = {"sentence", "sentence1", "sentence2", "question", "question1", "question2", "#1 String", "#2 String"}
FILES = ("train.tsv", "dev.tsv", "dev_matched.tsv", "dev_mismatched.tsv", "msr_paraphrase_train.txt")


def lengthen(source: Path, target: Path, words: int, rows: int) -> Path:
    """Every text repeated until it has that many words; at most so many rows of each file, spread over it."""
    def lengthened(header: list[str], lines: list[list[str]]) -> Iterator[list[str]]:
        texts = [place for place, name in enumerate(header) if name in TEXT_COLUMNS]
        step = max(1, len(lines) // rows)
        for cells in lines[::step][:rows]:
            if len(cells) != len(header) or not all(cells[place].split() for place in texts):
                continue
            for place in texts:
                text = cells[place].split()
                cells[place] = " ".join((text * (words // len(text) + 1))[:words])
            yield cells
    return rewrite(source, target, lengthened)


def multiply(source: Path, target: Path, times: int) -> Path:
    """The rows of the training files as often as that; the dev files as they are."""
    return rewrite(source, target, lambda header, lines: (cells for _ in range(times) for cells in lines), "train.tsv")


def with_rows(source: Path, target: Path, rows: int) -> Path:
    """The folder itself if its training files have so many rows together; else one with each of them as often as it
    takes. A twentieth more is asked for, as a few of QQP's rows are damaged."""
    # Each may have a header.
    there = sum(path.read_bytes().count(b"\n") - 1 for path in source.glob("*/train.tsv"))
    times = -(-(rows + rows // 20) // max(1, there))
    return source if times <= 1 else multiply(source, target, times)


def rewrite(
    source: Path, target: Path, change: Callable[[list[str], list[list[str]]], Iterator[list[str]]], only: str = ""
) -> Path:
    """Copies the folder with the rows of its files changed: all files, or those of one name only."""
    for path in sorted(source.glob("*/*")):
        if path.name not in FILES:
            continue
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if only and path.name != only:
            copy.write_bytes(path.read_bytes())
            continue
        lines = [line.split("\t") for line in path.read_text(encoding="utf-8-sig").split("\n") if line]
        # CoLA's files have no header.
        has_header = bool(TEXT_COLUMNS & set(lines[0]))
        header = lines.pop(0) if has_header else ["", "", "", "sentence"]
        with copy.open("w", encoding="utf-8", newline="") as file:
            if has_header:
                file.write("\t".join(header) + "\n")
            for cells in change(header, lines):
                file.write("\t".join(cells) + "\n")
    return target


def configuration(model: Path, *keys: str) -> dict:
    """What the config.json of an encoder's folder says: whole numbers under these keys, at the least."""
    path = model / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BenchmarkError(f"{path} is damaged ({error}): take another BERT folder.") from None
    for key in keys:
        value = config.get(key) if isinstance(config, dict) else None
        if type(value) is not int or value < 1:
            raise BenchmarkError(f"{path} has no usable {key}: take the folder of a BERT encoder.")
    return config


def deepen(source: Path, target: Path, layers: int) -> Path:
    """An encoder's folder with its layers repeated until there are that many."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file, save_file
    config = configuration(source, "num_hidden_layers")
    count = config["num_hidden_layers"]
    weights = source / "model.safetensors"
    try:
        tensors = load_file(weights)
    except (FileNotFoundError, SafetensorError) as error:
        raise BenchmarkError(
            f"{weights} can't be read ({error}): its layers are to be repeated, so take a BERT folder that has it."
        ) from None
    target.mkdir()
    for path in source.iterdir():
        if path.is_file() and path.name not in ("config.json", "model.safetensors"):
            (target / path.name).symlink_to(path.resolve())
    deeper = {**config, "num_hidden_layers": layers}
    (target / "config.json").write_text(json.dumps(deeper))
    for name in list(tensors):
        layer = re.search(r"encoder\.layer\.(\d+)\.", name)
        if layer:
            for further in range(int(layer[1]) + count, layers, count):
                tensors[name.replace(layer[0], f"encoder.layer.{further}.")] = tensors[name]
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    return target


def resize(source: Path, target: Path, hidden: int, layers: int, intermediate: int = None) -> Path:
    """An encoder's folder with weights drawn at random; BERT's proportions at that size, unless its feed-forward parts
    are given another width."""
    from transformers import BertConfig, BertModel
    config = configuration(source, "vocab_size")
    target.mkdir()
    for name in ("vocab.txt", "tokenizer.json"):
        if (source / name).exists():
            (target / name).symlink_to((source / name).resolve())
    BertModel(BertConfig(
        vocab_size=config["vocab_size"], hidden_size=hidden, num_hidden_layers=layers,
        num_attention_heads=hidden // 64, intermediate_size=intermediate or 4 * hidden)).save_pretrained(target)
    return target
