"""SST-2: lower-case phrases from invented film reviews, praising or panning."""

from __future__ import annotations

import random
from pathlib import Path

from .drawing import Example, Split, article, draw_splits, write_table

WORKS = ["film", "comedy", "drama", "thriller", "documentary", "romance", "sequel", "debut", "western", "musical"]
PARTS = ["plot", "dialogue", "ending", "cast", "soundtrack", "camera work", "script", "pacing", "humor", "opening act"]
PRAISE = [
    "charming", "tender", "gripping", "witty", "luminous", "clever", "moving", "delightful", "graceful", "thrilling",
    "heartfelt", "inventive", "hilarious", "wonderful", "superb",
]
BLAME = [
    "dull", "clumsy", "lifeless", "tedious", "shallow", "lazy", "muddled", "dreary", "bland", "awful", "predictable",
    "pointless", "grating", "incoherent", "forgettable",
]
GOOD_VERBS = ["shines", "soars", "sparkles", "never loses its way", "rewards every minute", "wins you over"]
BAD_VERBS = ["drags", "falls flat", "never finds its feet", "wastes its actors", "collapses halfway", "wears you out"]
GOOD_NOUNS = ["warmth", "wit", "courage", "grace", "imagination", "insight", "joy", "real feeling"]
BAD_NOUNS = ["clichés", "empty noise", "bad jokes", "boredom", "loose ends", "cheap tricks", "false notes", "dead air"]
GOOD_ENDS = ["worth every minute", "you will want to see again", "that lingers for days", "made with love"]
BAD_ENDS = [
    "you will want to forget", "that outstays its welcome", "made without a single idea", "not worth the ticket",
]


def _phrase(rng: random.Random, positive: bool) -> str:
    adjectives, verbs, nouns, ends = (
        (PRAISE, GOOD_VERBS, GOOD_NOUNS, GOOD_ENDS) if positive else (BLAME, BAD_VERBS, BAD_NOUNS, BAD_ENDS))
    opposite = rng.choice(BLAME if positive else PRAISE)
    first, second, third = rng.sample(adjectives, 3)
    work, part = rng.choice(WORKS), rng.choice(PARTS)
    verb, noun, end = rng.choice(verbs), rng.choice(nouns), rng.choice(ends)
    return rng.choice([
        f"{article(first)} , {second} {work} full of {noun} .",
        f"{article(first)} {work} {end} .",
        f"the {part} is {first} and the whole {work} {verb} .",
        f"for all its talk , the {work} {verb} and its {part} is {first}",
        f"it 's {article(first)} {work} whose {part} {verb} .",
        f"{first} , {second} and {third}",
        f"never {opposite} , always {first} : {article(work)} with plenty of {noun} .",
        f"it could have been {opposite} , but this {work} turns out {first} and {second} .",
        f"the {part} brings {noun} to this {first} {work} .",
        f"if the {part} seems {opposite} at first , the rest is simply {first} .",
        f"{second} {part} , {first} {work}",
        f"not {opposite} at all : this {work} {verb} .",
    ])


def _scene(rng: random.Random) -> list[Example]:
    positive = rng.random() < 0.53
    return [Example((_phrase(rng, positive),), "1" if positive else "0")]


def write(folder: Path) -> dict[str, list[Example]]:
    """Writes SST-2's three files; as in GLUE, a blank ends the phrase in train and dev but not in test."""
    drawn = draw_splits("SST-2", [Split("test", 60, _scene), Split("dev", 150, _scene), Split("train", 500, _scene)])
    for name in ("train", "dev"):
        rows = [(row.texts[0] + " ", row.label) for row in drawn[name]]
        write_table(folder / "SST-2" / f"{name}.tsv", ("sentence", "label"), rows)
    rows = [(str(index), row.texts[0]) for index, row in enumerate(drawn["test"])]
    write_table(folder / "SST-2" / "test.tsv", ("index", "sentence"), rows)
    return drawn
