"""WNLI: a passage with a pronoun, and the clause with the pronoun replaced by the right or the wrong noun."""

from __future__ import annotations

import random
from pathlib import Path

from .drawing import Example, Split, draw_splits, write_table
from .words import MEN, TOWNS, WEEKDAYS, WOMEN

TOOLS = ["tent", "raincoat", "flashlight", "compass", "sleeping bag", "pocket knife", "water bottle", "camera"]
HUNTERS = ["hawk", "fox", "weasel", "wolf", "eagle", "lynx"]
PREY = ["sparrow", "hare", "mouse", "lamb", "duckling", "squirrel"]
WHERE = [
    "at the edge of the forest", "behind the mill", "near the frozen pond", "in the tall grass", "close to the road",
    "on the far bank",
]
COVERS = ["blanket", "sheet", "towel", "tarpaulin", "tablecloth"]
COVERED = ["bench", "piano", "old sofa", "motorcycle", "mahogany desk"]
CARERS = ["dentist", "doctor", "nurse", "surgeon"]
PATIENTS = ["child", "toddler", "first grader", "five-year-old"]
SERVERS = ["hotel clerk", "bartender", "barber", "cashier"]
GUESTS = ["customer", "guest", "tourist", "visitor"]
GAMES = ["chess", "darts", "tennis", "checkers", "badminton", "table tennis"]
GOODS = ["guitar", "canoe", "motorbike", "telescope", "sewing machine", "trailer"]
CREWS = ["students", "farmers", "soldiers", "sailors", "neighbors", "workers", "volunteers", "cousins"]
# What a crew does, to which things, and what can then be said of the things alone.
TASKS = [
    ("carried the {} into the hall", ["chairs", "benches", "tables", "shelves"],
     ["were made of oak", "had scratches on all legs"]),
    ("brought the {} to the market", ["melons", "peaches", "bananas", "cabbages"],
     ["were ripe and sweet", "began to rot"]),
    ("stacked the {} behind the barn", ["sacks", "boxes", "crates", "barrels"],
     ["were full of flour", "leaked at the bottom"]),
    ("hung the {} from the balcony", ["flags", "banners", "carpets", "sheets"],
     ["were torn by the wind", "had faded colors"]),
    ("found the {} in the attic", ["letters", "maps", "diaries", "photographs"],
     ["were yellow with age", "crumbled to dust"]),
]
CREW_CLAUSES = [
    "sang on the way home", "were hungry and ordered soup", "told each other jokes", "took off their shoes",
    "thanked their mothers", "had to get up early",
]

# A passage, the clause with a gap for the noun, the noun that the pronoun stands for and the one that it does not.
Schema = tuple[str, str, str, str]


def _people(rng: random.Random) -> tuple[str, str, str]:
    names, pronoun = rng.choice([(WOMEN, "she"), (MEN, "he")])
    return (*rng.sample(names, 2), pronoun)


def _lending(rng: random.Random) -> Schema:
    first, second, pronoun = _people(rng)
    tool, day = rng.choice(TOOLS), rng.choice(WEEKDAYS)
    clause, points_first = rng.choice([
        (f"had left the other {tool} at home on {day}", False), (f"did not need the second {tool} on {day}", True)])
    right, wrong = (first, second) if points_first else (second, first)
    return f"{first} lent {second} a {tool} because {pronoun} {clause}.", f"{{}} {clause}.", right, wrong


def _sale(rng: random.Random) -> Schema:
    first, second, pronoun = _people(rng)
    thing, place = rng.choice(GOODS), rng.choice(TOWNS)
    clause, points_first = rng.choice([(f"wanted to use the {thing} in {place}", True),
                                       (f"had to pay the rent in {place} and could spare the {thing}", False)])
    right, wrong = (first, second) if points_first else (second, first)
    return f"{first} bought a {thing} from {second}, because {pronoun} {clause}.", f"{{}} {clause}.", right, wrong


def _game(rng: random.Random) -> Schema:
    first, second, pronoun = _people(rng)
    game, day = rng.choice(GAMES), rng.choice(WEEKDAYS)
    clause, points_first = rng.choice([(f"had practiced {game} for weeks", True),
                                       (f"had never played {game} before", False)])
    right, wrong = (first, second) if points_first else (second, first)
    return f"On {day}, {first} beat {second} because {pronoun} {clause}.", f"Before {day}, {{}} {clause}.", right, wrong


def _chase(rng: random.Random) -> Schema:
    hunter, prey, where = rng.choice(HUNTERS), rng.choice(PREY), rng.choice(WHERE)
    clause, hunter_meant = rng.choice([("ran for its life", False), ("was caught and eaten", False),
                                       ("gave up the hunt", True), ("wanted to eat it", True)])
    right, wrong = (hunter, prey) if hunter_meant else (prey, hunter)
    return f"The {hunter} chased the {prey} {where}. It {clause}.", f"The {{}} {clause} {where}.", right, wrong


def _cover(rng: random.Random) -> Schema:
    cover, covered, day = rng.choice(COVERS), rng.choice(COVERED), rng.choice(WEEKDAYS)
    clause, cover_meant = rng.choice([
        ("too heavy to be carried away", False), ("scratched and had to be polished", False),
        ("folded up and washed", True), ("ironed and put into a drawer", True)])
    right, wrong = (cover, covered) if cover_meant else (covered, cover)
    return (f"On {day} we took the {cover} off the {covered}. Later it was {clause}.",
            f"After {day} the {{}} was {clause}.", right, wrong)


def _clinic(rng: random.Random) -> Schema:
    carer, patient, town = rng.choice(CARERS), rng.choice(PATIENTS), rng.choice(TOWNS)
    clause, carer_meant = rng.choice([
        ("had studied medicine for years", True), ("put on a white coat and gloves", True),
        ("was clinging to a teddy bear", False), ("was afraid of the needle", False)])
    right, wrong = (carer, patient) if carer_meant else (patient, carer)
    return (f"At the clinic in {town}, the {carer} waved to the {patient}. {rng.choice(['She', 'He'])} {clause}.",
            f"In {town}, the {{}} {clause}.", right, wrong)


def _service(rng: random.Random) -> Schema:
    server, guest, town = rng.choice(SERVERS), rng.choice(GUESTS), rng.choice(TOWNS)
    clause, server_meant = rng.choice([("worked there six days a week", True), ("was tired after a long shift", True),
                                       ("was there on vacation", False), ("paid with a credit card and left", False)])
    right, wrong = (server, guest) if server_meant else (guest, server)
    return (f"The {server} in {town} smiled at the {guest}. {rng.choice(['She', 'He'])} {clause}.",
            f"In {town}, the {{}} {clause}.", right, wrong)


def _crew(rng: random.Random) -> Schema:
    crew, day, town = rng.choice(CREWS), rng.choice(WEEKDAYS), rng.choice(TOWNS)
    deed, things, thing_clauses = rng.choice(TASKS)
    thing, crew_meant = rng.choice(things), rng.random() < 0.5
    clause = rng.choice(CREW_CLAUSES if crew_meant else thing_clauses)
    right, wrong = (crew, thing) if crew_meant else (thing, crew)
    return (f"On {day} the {crew} from {town} {deed.format(thing)}. They {clause}.",
            f"On {day} the {{}} from {town} {clause}.", right, wrong)


# How often each schema is drawn; those that hang on the order of two names alone are learned late and are rare.
SCHEMAS = {_crew: 12, _chase: 3, _cover: 2, _clinic: 3, _service: 2, _lending: 1, _sale: 1, _game: 1}


def _scene(rng: random.Random) -> list[Example]:
    passage, clause, right, wrong = rng.choices(list(SCHEMAS), weights=list(SCHEMAS.values()))[0](rng)
    examples = [Example((passage, clause.format(right)), "1"), Example((passage, clause.format(wrong)), "0")]
    if rng.random() < 0.5:
        return examples
    return [examples[0 if rng.random() < 0.48 else 1]]


def write(folder: Path) -> dict[str, list[Example]]:
    """Writes WNLI's three files."""
    drawn = draw_splits("WNLI", [Split("test", 60, _scene), Split("dev", 100, _scene), Split("train", 800, _scene)])
    header = ("index", "sentence1", "sentence2", "label")
    for name, rows in drawn.items():
        columns = 3 if name == "test" else 4
        lines = [(str(index), *row.texts, row.label)[:columns] for index, row in enumerate(rows)]
        write_table(folder / "WNLI" / f"{name}.tsv", header[:columns], lines)
    return drawn
