"""QNLI: a question and a sentence that answers it or does not."""

from __future__ import annotations

import random
from pathlib import Path

from .drawing import Example, Split, draw_splits, sentence, write_table
from .words import FIRST_NAMES, LAST_NAMES, TOWNS

# A fact is a sentence about a topic and the questions that it answers.
Fact = tuple[str, list[str]]


def _building(rng: random.Random) -> list[Fact]:
    town, name = rng.choice(TOWNS), f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
    kind = rng.choice(["museum", "lighthouse", "town hall", "opera house", "observatory", "grain hall"])
    year, rooms = rng.randrange(1700, 1990), rng.randrange(15, 240)
    stone = rng.choice(["granite", "red brick", "limestone", "marble", "slate"])
    return [
        (f"Construction of the {town} {kind} began in {year} and took nearly a decade.",
         [f"When did work on the {town} {kind} start?", f"In which year was building of the {kind} in {town} begun?"]),
        (f"The {kind} in {town} was designed by {name}, who had studied abroad.",
         [f"Who was the architect of the {town} {kind}?", f"Who designed the {kind} in {town}?"]),
        (f"With its {rooms} rooms, the {town} {kind} is the largest building in the district.",
         [f"How many rooms does the {town} {kind} have?", f"What number of rooms is found in the {kind} in {town}?"]),
        (f"The walls of the {kind} in {town} are made of {stone}, which keeps them cool in summer.",
         [f"What are the walls of the {town} {kind} made of?",
          f"Which material was used for the walls of the {kind} in {town}?"]),
    ]


def _river(rng: random.Random) -> list[Fact]:
    river = rng.choice(["Ardel", "Brenna", "Cossick", "Drum", "Elvane", "Fennow", "Garl", "Hessel", "Isk", "Jarrow"])
    first, second = rng.sample(TOWNS, 2)
    length, fish = rng.randrange(40, 800), rng.choice(["trout", "pike", "eels", "salmon", "perch"])
    bridges, name = rng.randrange(3, 30), rng.choice(LAST_NAMES)
    return [
        (f"The {river} near {first} flows for {length} kilometers before it reaches the sea.",
         [f"How long is the {river} near {first}?", f"What is the length of the {river}, the river by {first}?"]),
        (f"Fishermen come to the {river} at {first} for its {fish}, which are caught mostly in autumn.",
         [f"What do fishermen catch in the {river} at {first}?", f"Which fish is the {river} at {first} known for?"]),
        (f"Between {first} and {second}, the {river} is crossed by {bridges} bridges.",
         [f"How many bridges cross the {river} between {first} and {second}?"]),
        (f"The {river} was first mapped above {first} by a surveyor called {name}.",
         [f"Who first mapped the {river} above {first}?",
          f"Which surveyor drew the first map of the {river} near {first}?"]),
    ]


def _festival(rng: random.Random) -> list[Fact]:
    town = rng.choice(TOWNS)
    theme = rng.choice(["kite", "lantern", "cider", "puppet", "harvest", "accordion", "snow"])
    year, visitors = rng.randrange(1890, 2010), rng.randrange(11, 95) * 1000
    dish = rng.choice(["fish soup", "plum cake", "fried dough", "bean stew", "pickled herring"])
    founder = rng.choice(LAST_NAMES)
    return [
        (f"The {theme} festival of {town} was held for the first time in {year}.",
         [f"When did the {town} {theme} festival first take place?",
          f"What year saw the first {theme} festival in {town}?"]),
        (f"About {visitors:,} people visit the {theme} festival in {town} each year.",
         [f"How many visitors does the {town} {theme} festival have?",
          f"What is the attendance of the {theme} festival in {town}?"]),
        (f"The idea for the {theme} festival in {town} came from a schoolteacher named {founder}.",
         [f"Who had the idea for the {town} {theme} festival?",
          f"Which teacher founded the {theme} festival in {town}?"]),
        (f"On its last evening, guests of the {town} {theme} festival share {dish} at long tables.",
         [f"What do guests eat at the {town} {theme} festival?",
          f"Which dish is served at the {theme} festival in {town}?"]),
    ]


TOPICS = [_building, _river, _festival]


def _scene(rng: random.Random) -> list[Example]:
    topic = rng.choice(TOPICS)
    facts = topic(rng)
    asked, distractor = rng.sample(range(len(facts)), 2)
    question = rng.choice(facts[asked][1])
    if rng.random() < 0.52:
        return [Example((sentence(question), facts[asked][0]), "entailment")]
    if rng.random() < 0.75:
        return [Example((sentence(question), facts[distractor][0]), "not_entailment")]
    return [Example((sentence(question), topic(rng)[asked][0]), "not_entailment")]


def write(folder: Path) -> dict[str, list[Example]]:
    """Writes QNLI's three files."""
    drawn = draw_splits("QNLI", [Split("test", 60, _scene), Split("dev", 140, _scene), Split("train", 640, _scene)])
    header = ("index", "question", "sentence", "label")
    for name, rows in drawn.items():
        columns = 3 if name == "test" else 4
        lines = [(str(index), *row.texts, row.label)[:columns] for index, row in enumerate(rows)]
        write_table(folder / "QNLI" / f"{name}.tsv", header[:columns], lines)
    return drawn
