"""RTE: a short news passage and a hypothesis that follows from it or does not."""

from __future__ import annotations

import random
from pathlib import Path

from .drawing import Example, Split, draw_splits, sentence, write_table
from .words import COMPANIES, FIRST_NAMES, LAST_NAMES, MONTHS, TOWNS, WEEKDAYS

# A passage, hypotheses that follow from it, and hypotheses that do not.
Story = tuple[str, list[str], list[str]]


def _storm(rng: random.Random) -> Story:
    town, near = rng.sample(TOWNS, 2)
    hurt, day = rng.randrange(5, 60), rng.choice(WEEKDAYS)
    name = rng.choice(LAST_NAMES)
    return (
        f"A storm that swept over {town} on {day} tore the roofs off dozens of houses and left {hurt} people injured. "
        f"Mayor {name} asked the army for help.",
        [f"A storm damaged houses in {town}.", f"{name} is the mayor of {town}.", f"{hurt} people were hurt in {town}.",
         f"Mayor {name} of {town} wanted help."],
        [f"The weather in {town} was calm on {day}.", f"{name} was arrested in {town}.",
         f"Nobody in {town} was hurt on {day}.", f"Mayor {name} of {town} refused all help.",
         f"The storm on {day} reached {near} before it hit {town}."],
    )


def _award(rng: random.Random) -> Story:
    name, rival = (f"{first} {last}" for first, last in zip(rng.sample(FIRST_NAMES, 2), rng.sample(LAST_NAMES, 2)))
    town, company = rng.choice(TOWNS), rng.choice(COMPANIES)
    topic = rng.choice(["bees", "glaciers", "old maps", "fishermen", "bridges", "night trains"])
    return (
        f"The novelist {name} has won this year's {company} Prize for a book about {topic}, beating {rival}. "
        f"The jury in {town} praised its humor.",
        [f"{name} wrote a book about {topic}.", f"{name} is a writer.", f"{name} received the {company} Prize.",
         f"A jury in {town} liked the book by {name}."],
        [f"{name} wrote a song about {topic}.", f"{name} is a famous surgeon.",
         f"{name} turned down the {company} Prize.",
         f"A jury in {town} hated the book by {name}.", f"{rival} received the {company} Prize."],
    )


def _factory(rng: random.Random) -> Story:
    company, buyer = rng.sample(COMPANIES, 2)
    town, month = rng.choice(TOWNS), rng.choice(MONTHS)
    jobs, year = rng.randrange(8, 95) * 10, rng.randrange(1921, 1999)
    goods = rng.choice(["shoes", "tires", "radios", "paint", "bicycles", "tiles"])
    return (
        f"{company} will close its plant in {town}, where it has made {goods} since {year}, at the end of {month}. "
        f"About {jobs} workers will lose their jobs, although {buyer} has offered to hire some of them.",
        [f"{company} makes {goods} in {town}.", f"{company} will shut its plant in {town}.",
         f"{jobs} jobs will be lost in {town}.", f"{buyer} may hire workers from {company}."],
        [f"{company} never made {goods} in {town}.", f"{company} will enlarge its plant in {town}.",
         f"{jobs} jobs will be created in {town}.", f"{buyer} has sued the workers of {company}.",
         f"{company} may hire workers from {buyer}."],
    )


def _discovery(rng: random.Random) -> Story:
    name, town = rng.choice(LAST_NAMES), rng.choice(TOWNS)
    age, depth = rng.randrange(7, 60) * 100, rng.randrange(3, 40)
    find = rng.choice(["boat", "mosaic", "stone bridge", "bronze bell", "granary", "bath house"])
    crew = rng.choice(["Students", "Divers", "Farmers", "Builders"])
    return (
        f"{crew} near {town} have come across the remains of a {find} {depth} meters below the ground. The "
        "archaeologist "
        f"{name} believes that it is about {age:,} years old, but tests are not finished yet.",
        [f"A {find} was found near {town}.", f"{name} is an archaeologist who knows about the {find}.",
         f"{crew} made a discovery near {town}.", f"{name} thinks the {find} is very old."],
        [f"A {find} was stolen near {town}.", f"{name} is a politician who owns the {find}.",
         f"{crew} were killed near {town}.", f"{name} thinks the {find} is a modern fake.",
         f"Tests have proved that the {find} near {town} is {age:,} years old."],
    )


def _election(rng: random.Random) -> Story:
    winner, loser = (f"{first} {last}" for first, last in zip(rng.sample(FIRST_NAMES, 2), rng.sample(LAST_NAMES, 2)))
    town, day = rng.choice(TOWNS), rng.choice(WEEKDAYS)
    share, issue = rng.randrange(51, 70), rng.choice(["rents", "clean water", "bus fares", "night flights", "parks"])
    return (
        f"{winner} was elected mayor of {town} on {day} with {share} percent of the vote after a campaign about "
        f"{issue}. "
        f"The former mayor, {loser}, sent congratulations.",
        [f"There was an election in {town} on {day}.", f"People in {town} heard about {issue} in the campaign.",
         f"{winner} got more than half of the votes in {town}.",
         f"{loser} used to be mayor of {town}."],
        [f"The election in {town} on {day} was canceled.", f"No one in {town} talked about {issue}.",
         f"{winner} got only a tenth of the votes in {town}.", f"{loser} has never been to {town}.",
         f"{loser} won the election in {town}."],
    )


def _fire(rng: random.Random) -> Story:
    town, company = rng.choice(TOWNS), rng.choice(COMPANIES)
    hours, name = rng.randrange(4, 20), rng.choice(LAST_NAMES)
    store = rng.choice(["grain", "timber", "paper", "furniture", "cotton"])
    return (
        f"It took {hours} hours to put out a blaze at a {store} warehouse of {company} in {town}. Nobody was inside. "
        "Fire "
        f"chief {name} said the building would have to be torn down.",
        [f"A warehouse burned in {town}.", f"{company} had a {store} warehouse in {town}.",
         f"No one was hurt in the {store} warehouse in {town}.", f"{name} is a fire chief in {town}."],
        [f"A new warehouse was opened in {town}.", f"{company} has built a school in {town}.",
         f"Many people died in the {store} warehouse in {town}.", f"{name} is a criminal wanted in {town}.",
         f"The fire in the {store} warehouse in {town} started in the roof."],
    )


STORIES = [_storm, _award, _factory, _discovery, _election, _fire]


def _scene(rng: random.Random) -> list[Example]:
    passage, follows, fails = rng.choice(STORIES)(rng)
    follows_first = rng.random() < 0.5
    first, second = (follows, fails) if follows_first else (fails, follows)
    labels = ("entailment", "not_entailment") if follows_first else ("not_entailment", "entailment")
    examples = [Example((passage, sentence(rng.choice(first))), labels[0])]
    if rng.random() < 0.5:
        examples.append(Example((passage, sentence(rng.choice(second))), labels[1]))
    return examples


def write(folder: Path) -> dict[str, list[Example]]:
    """Writes RTE's three files."""
    drawn = draw_splits("RTE", [Split("test", 60, _scene), Split("dev", 130, _scene), Split("train", 800, _scene)])
    header = ("index", "sentence1", "sentence2", "label")
    for name, rows in drawn.items():
        columns = 3 if name == "test" else 4
        lines = [(str(index), *row.texts, row.label)[:columns] for index, row in enumerate(rows)]
        write_table(folder / "RTE" / f"{name}.tsv", header[:columns], lines)
    return drawn
