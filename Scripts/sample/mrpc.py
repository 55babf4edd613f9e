"""MRPC: pairs of news sentences that say the same, or differ in a number, a role or an event."""

from __future__ import annotations

import random
from pathlib import Path

from .drawing import Example, Split, draw_splits, other, sentence, write_table
from .words import COMPANIES, FIRST_NAMES, LAST_NAMES, MONTHS, TOWNS, WEEKDAYS

PRODUCTS = ["ferries", "tractors", "solar panels", "buses", "water pumps", "tram cars", "printing presses", "drones"]
CAUSES = [("heavy rain", "a downpour"), ("a gas leak", "leaking gas"), ("a power failure", "an electrical outage"),
          ("a burst pipe", "a broken water main"), ("strong winds", "a gale")]
SITES = ["library", "harbor", "town hall", "railway station", "airport", "stadium", "hospital", "market hall"]
POSTS = ["chief executive", "finance director", "head of research", "board chair"]
TEAMS = ["Rovers", "Wanderers", "Falcons", "Mariners", "Pilots", "Badgers"]


def _takeover(rng: random.Random) -> tuple[str, list[str], list[str]]:
    buyer, seller, third = rng.sample(COMPANIES, 3)
    sum_, day = rng.randrange(12, 96), rng.choice(WEEKDAYS)
    wrong = rng.randrange(112, 196)
    return (
        f"{buyer} said on {day} that it would buy {seller} for ${sum_} million in cash.",
        [f"On {day}, {buyer} announced the purchase of {seller} for ${sum_} million in cash.",
         f"{seller} will be bought by {buyer} for ${sum_} million in cash, the buyer said on {day}."],
        [f"On {day}, {seller} announced the purchase of {buyer} for ${sum_} million in cash.",
         f"On {day}, {buyer} announced the purchase of {third} for ${wrong} million in shares.",
         f"{buyer} and {seller} called off their ${sum_} million merger on {day}."],
    )


def _closure(rng: random.Random) -> tuple[str, list[str], list[str]]:
    cause, cause_again = rng.choice(CAUSES)
    far = other(rng, CAUSES, (cause, cause_again))[0]
    site, town, day = rng.choice(SITES), rng.choice(TOWNS), rng.choice(WEEKDAYS)
    hours = rng.randrange(3, 20)
    return (
        f"The {site} in {town} was closed for {hours} hours on {day} because of {cause}, officials said.",
        [f"Officials said {cause_again} shut the {town} {site} for {hours} hours on {day}.",
         f"Because of {cause}, the {site} in {town} stayed shut for {hours} hours on {day}, according to officials."],
        [f"Officials said {far} shut the {town} {site} for {hours + 24} hours on {day}.",
         f"The {site} in {town} reopened on {day} after repairs that cost ${hours} million, officials said.",
         f"Officials in {town} said the {site} would stay open on {day} despite {cause}."],
    )


def _appointment(rng: random.Random) -> tuple[str, list[str], list[str]]:
    company, post, month = rng.choice(COMPANIES), rng.choice(POSTS), rng.choice(MONTHS)
    first, second = rng.sample(FIRST_NAMES, 2)
    new, old = rng.sample(LAST_NAMES, 2)
    years = rng.randrange(4, 19)
    return (
        f"{first} {new} will replace {second} {old} as {post} of {company} in {month}, after {years} years at the "
        "firm.",
        [f"{company} has named {first} {new}, {years} years with the firm, to succeed {second} {old} as {post} in "
         f"{month}.",
         f"In {month}, {second} {old} will be succeeded as {post} of {company} by {first} {new}, who has spent {years} "
         "years there."],
        [f"{company} has named {second} {old}, {years} years with the firm, to succeed {first} {new} as {post} in "
         f"{month}.",
         f"{first} {new} resigned as {post} of {company} in {month} after a dispute over pay.",
         f"{company} said in {month} that it would leave the job of {post} empty after {second} {old} retires."],
    )


def _match(rng: random.Random) -> tuple[str, list[str], list[str]]:
    home, away = rng.sample(TOWNS, 2)
    first, second = rng.sample(TEAMS, 2)
    winner, loser = f"{home} {first}", f"{away} {second}"
    high, low = rng.randrange(3, 7), rng.randrange(0, 3)
    day, scorer = rng.choice(WEEKDAYS), rng.choice(LAST_NAMES)
    return (
        f"{winner} beat {loser} {high}-{low} on {day}, with {scorer} scoring twice.",
        [f"{scorer} scored two goals as {winner} defeated {loser} {high}-{low} on {day}.",
         f"{loser} lost {high}-{low} to {winner} on {day}, when {scorer} scored a pair of goals."],
        [f"{scorer} scored two goals as {loser} defeated {winner} {high}-{low} on {day}.",
         f"{winner} and {loser} drew on {day} after {scorer} missed two penalties.",
         f"{winner} signed {scorer} from {loser} on {day} for a fee of ${high} million."],
    )


def _results(rng: random.Random) -> tuple[str, list[str], list[str]]:
    company, product, month = rng.choice(COMPANIES), rng.choice(PRODUCTS), rng.choice(MONTHS)
    share, units = rng.randrange(4, 30), rng.randrange(210, 980)
    return (
        f"Sales at {company} rose {share} percent in {month}, helped by an order for {units} {product}.",
        [f"An order for {units} {product} helped {company} lift its {month} sales by {share} percent.",
         f"{company} reported {month} sales up {share} percent thanks to an order for {units} {product}."],
        [f"Sales at {company} fell {share} percent in {month} after it lost an order for {units} {product}.",
         f"{company} reported {month} profit up {share + 31} percent thanks to lower costs.",
         f"{company} recalled {units} {product} in {month} after finding a fault in their brakes."],
    )


def _court(rng: random.Random) -> tuple[str, list[str], list[str]]:
    name, town, company = rng.choice(LAST_NAMES), rng.choice(TOWNS), rng.choice(COMPANIES)
    months, age = rng.randrange(6, 40), rng.randrange(24, 70)
    judge = other(rng, LAST_NAMES, name)
    return (
        f"A judge in {town} sentenced {name}, {age}, to {months} months in prison for stealing from {company}.",
        [f"{name}, {age}, was given a prison term of {months} months by a judge in {town} for theft from {company}.",
         f"For stealing from {company}, {age}-year-old {name} must spend {months} months in prison, a judge in {town} "
         "ruled."],
        [f"A judge in {town} cleared {name}, {age}, of stealing from {company}.",
         f"{name}, {age}, told a judge in {town} that {company} still owes him {months} months of wages.",
         f"Judge {judge} of {town} fined {company} for keeping {months} months of records from {name}."],
    )


EVENTS = [_takeover, _closure, _appointment, _match, _results, _court]


def _scene(rng: random.Random) -> list[Example]:
    base, same, different = rng.choice(EVENTS)(rng)
    paraphrase = rng.random() < 0.58
    pair = [base, rng.choice(same if paraphrase else different)]
    if rng.random() < 0.4:
        pair.reverse()
    return [Example((sentence(pair[0]), sentence(pair[1])), "1" if paraphrase else "0")]


def write(folder: Path) -> dict[str, list[Example]]:
    """Writes MRPC's three files, as in GLUE with a byte order mark before the header of train and dev."""
    drawn = draw_splits("MRPC", [Split("test", 60, _scene), Split("dev", 120, _scene), Split("train", 500, _scene)])
    next_id = 500_001
    for name in ("train", "dev", "test"):
        rows = []
        for index, row in enumerate(drawn[name]):
            lead = str(index) if name == "test" else row.label
            rows.append((lead, str(next_id), str(next_id + 1), *row.texts))
            next_id += 2
        header = ("index" if name == "test" else "Quality", "#1 ID", "#2 ID", "#1 String", "#2 String")
        write_table(folder / "MRPC" / f"{name}.tsv", header, rows, mark=name != "test")
    return drawn
