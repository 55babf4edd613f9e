"""MNLI: a premise with an entailed, a neutral and a contradicting hypothesis, in two sets of genres."""

from __future__ import annotations

import random
from pathlib import Path
from .drawing import Example, Scene, Split, draw_splits, sentence, write_table
from .mnli_premises import MATCHED, MISMATCHED


def _scene_of(genres: dict) -> Scene:
    def scene(rng: random.Random) -> list[Example]:
        genre = rng.choice(list(genres))
        situations, topics, told = genres[genre]
        premise, *hypotheses = rng.choice(situations)(rng, topics)
        premise = told(rng, premise)
        labels = ("entailment", "neutral", "contradiction")
        return [Example((premise, sentence(rng.choice(pool))), label, genre) for label, pool in zip(labels, hypotheses)]
    return scene


def write(folder: Path) -> dict[str, list[Example]]:
    """Writes MNLI's five files; the parse columns, which the sample has no use for, hold "n/a"."""
    matched, mismatched = _scene_of(MATCHED), _scene_of(MISMATCHED)
    drawn = draw_splits("MNLI", [
        Split("test_matched", 60, matched), Split("test_mismatched", 60, mismatched),
        Split("dev_matched", 150, matched), Split("dev_mismatched", 150, mismatched), Split("train", 699, matched),
    ])
    head = ("index", "promptID", "pairID", "genre", "sentence1_binary_parse", "sentence2_binary_parse",
            "sentence1_parse", "sentence2_parse", "sentence1", "sentence2")
    prompt = 1000
    for name, rows in drawn.items():
        judges = 0 if name.startswith("test") else 1 if name == "train" else 5
        header = head + tuple(f"label{judge}" for judge in range(1, judges + 1)) + (("gold_label",) if judges else ())
        lines = []
        for index, row in enumerate(rows):
            prompt += 1
            ids = (str(index), str(prompt), f"{prompt}{row.label[0]}" if judges else str(prompt), row.genre)
            lines.append(ids + ("n/a",) * 4 + row.texts + (row.label,) * (judges + 1 if judges else 0))
        write_table(folder / "MNLI" / f"{name}.tsv", header, lines)
    return drawn
