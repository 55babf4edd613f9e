"""Draws a task's splits from its generator and writes them in GLUE's file layout."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Sequence

SEED = 20210118
# No label may take more than this share of a split, so that always guessing it is never a good answer.
LARGEST_SHARE = 0.6
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class Example:
    """One row before it is laid out: its one or two texts, its label and, where a task has one, its genre."""

    texts: tuple[str, ...]
    label: str
    genre: str = ""


# A scene returns examples that belong together (say, three hypotheses on one premise) and stay in one split.
Scene = Callable[[random.Random], list[Example]]


@dataclass(frozen=True)
class Split:
    """How many rows one file holds and which scene they come from."""

    name: str
    rows: int
    scene: Scene


def draw_splits(task: str, splits: Sequence[Split]) -> dict[str, list[Example]]:
    """Draws every split so that no sentence occurs in two of them and no row twice."""
    rng = random.Random(f"{SEED} {task}")
    owner: dict[str, str] = {}
    taken: set[tuple[str, ...]] = set()
    drawn: dict[str, list[Example]] = {}
    for split in splits:
        rows: list[Example] = []
        refused = 0
        while len(rows) < split.rows:
            group = split.scene(rng)[: split.rows - len(rows)]
            if not _is_fresh(group, split.name, owner, taken) or not _is_balanced(rows + group, split.rows):
                refused += 1
                if refused > 200 * split.rows:
                    raise SystemExit(f"{task}: too few distinct sentences for {split.rows} rows of {split.name}")
                continue
            for example in group:
                taken.add(example.texts)
                for text in example.texts:
                    owner[text.casefold()] = split.name
            rows.extend(group)
        rng.shuffle(rows)
        drawn[split.name] = rows
    return drawn


def _is_fresh(group: list[Example], split: str, owner: dict[str, str], taken: set[tuple[str, ...]]) -> bool:
    """True when the group repeats no row and uses no sentence that another split owns."""
    texts = [example.texts for example in group]
    if len(set(texts)) < len(texts) or any(row in taken for row in texts):
        return False
    return all(owner.get(text.casefold(), split) == split for row in texts for text in row)


def _is_balanced(rows: list[Example], size: int) -> bool:
    """True when no label takes more than its share of a split of `size` rows."""
    return max(Counter(row.label for row in rows).values(), default=0) <= LARGEST_SHARE * size


def write_table(path: Path, header: Sequence[str] | None, rows: Iterable[Sequence[str]], mark: bool = False) -> None:
    """Writes tab-separated UTF-8 lines that end in a line feed; `mark` puts a byte order mark first, as MRPC has."""
    lines = [] if header is None else ["\t".join(header)]
    for row in rows:
        if any("\t" in cell or "\n" in cell for cell in row):
            raise SystemExit(f"{path.name}: a cell holds a tab or a line feed: {row}")
        lines.append("\t".join(row))
    path.parent.mkdir(parents=True, exist_ok=True)
    text = (BYTE_ORDER_MARK if mark else "") + "\n".join(lines) + "\n"
    path.write_bytes(text.encode("utf-8"))


def other(rng: random.Random, pool: Sequence, *taken):
    """An element of `pool` that is none of `taken`."""
    return rng.choice([item for item in pool if item not in taken])


def sentence(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def article(noun: str) -> str:
    """The noun with "a" or "an" before it, chosen by its first letter."""
    return ("an " if noun[0].lower() in "aeiou" else "a ") + noun
