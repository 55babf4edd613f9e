"""AX: unlabelled diagnostic pairs, each in both directions, one phenomenon after the other."""

from __future__ import annotations

import random
from pathlib import Path

from .drawing import SEED, Example, article, write_table
from .words import FIRST_NAMES, TOWNS

ANIMALS = ["horse", "heron", "beetle", "badger", "otter"]
CROPS = ["barley", "cherries", "potatoes", "hops", "melons"]


def _pairs(rng: random.Random) -> list[tuple[str, str]]:
    """One pair for each of ten phenomena: negation, quantifiers, hypernyms, roles, tense and so on."""
    first, second = rng.sample(FIRST_NAMES, 2)
    town, animal, crop = rng.choice(TOWNS), rng.choice(ANIMALS), rng.choice(CROPS)
    count = rng.randrange(4, 30)
    return [
        (f"{first} did not plant any {crop} this year.", f"{first} planted {crop} this year."),
        (f"Every farmer in {town} grows {crop}.", f"Some farmers in {town} grow {crop}."),
        (f"{first} painted {article(animal)} on the wall.", f"{first} painted an animal on the wall."),
        (f"{first} sold {second} a sack of {crop}.", f"{second} bought a sack of {crop} from {first}."),
        (f"{first} recommended {second} to the council of {town}.",
         f"{second} recommended {first} to the council of {town}."),
        (f"{first} managed to catch the {animal}.", f"{first} tried to catch the {animal}."),
        (f"The bakery in {town} will open at the end of the month.", f"The bakery in {town} has already opened."),
        (f"More than {count} people in {town} keep bees.", f"More than {count + 10} people in {town} keep bees."),
        (f"{first} doubts that the {animal} is asleep.", f"The {animal} that {first} saw is asleep."),
        (f"If it rains, {first} and {second} will stay in {town}.", f"{first} and {second} will stay in {town}."),
    ]


def write(folder: Path) -> dict[str, list[Example]]:
    """Writes AX/diagnostic.tsv: forty rows without labels, of which there are no splits to return."""
    rng = random.Random(f"{SEED} AX")
    pairs = [pair for _ in range(2) for pair in _pairs(rng)]
    rows = [row for pair in pairs for row in (pair, pair[::-1])]
    write_table(folder / "AX" / "diagnostic.tsv", ("index", "sentence1", "sentence2"),
                [(str(index), *row) for index, row in enumerate(rows)])
    return {}
