"""MNLI's premises: each situation returns a premise and what it entails, leaves open and contradicts."""

from __future__ import annotations

import random

from .words import COMPANIES, FIRST_NAMES, LAST_NAMES, MONTHS, TOWNS, WEEKDAYS

# A premise, hypotheses it entails, hypotheses it leaves open and hypotheses it contradicts.
Situation = tuple[str, list[str], list[str], list[str]]


def _handover(rng: random.Random) -> Situation:
    who, whom = rng.sample(FIRST_NAMES, 2)
    place = rng.choice(["cellar", "barn", "attic", "workshop", "chapel", "tower"])
    thing = rng.choice(["lantern", "map", "pistol", "diary", "silver key", "violin"])
    how = rng.choice(["slowly", "without a word", "with shaking hands", "before dawn"])
    return (
        f"{who} climbed down into the {place} {how} and handed the old {thing} to {whom}.",
        [f"{whom} received an old {thing} from {who}.", f"{who} went into the {place}.",
         f"{who} gave something old to {whom} in the {place}."],
        [f"{who} had stolen the {thing} from {whom}'s uncle.", f"{whom} had been waiting in the {place} for hours.",
         f"{who} hoped that {whom} would pay for the {thing}."],
        [f"{who} refused to give the {thing} to {whom}.", f"{who} never went near the {place}.",
         f"{whom} got nothing at all from {who}."],
    )


def _fees(rng: random.Random) -> Situation:
    town, month = rng.choice(TOWNS), rng.choice(MONTHS)
    body = rng.choice(["council", "water board", "school board", "transport agency"])
    count = rng.randrange(12, 90)
    item = rng.choice(["fees", "tolls", "property taxes", "fares"])
    return (
        f"In {month}, the {town} {body} raised {item} by {count} percent to cover the cost of repairs.",
        [f"The {town} {body} increased {item}.", f"People in {town} faced higher {item} after {month}.",
         f"The {body} in {town} needed money for repairs."],
        [f"Voters in {town} were angry about the {item}.", f"The {town} {body} plans another increase next {month}.",
         f"The {body} in {town} had wasted its savings on a new office."],
        [f"The {town} {body} lowered {item}.", f"The {item} in {town} did not change in {month}.",
         f"The {body} in {town} had no repairs to pay for."],
    )


def _sight(rng: random.Random) -> Situation:
    town, name = rng.choice(TOWNS), rng.choice(LAST_NAMES)
    sight = rng.choice(["lighthouse", "cathedral", "castle", "botanical garden", "market square", "aqueduct"])
    minutes, year = rng.randrange(5, 50), rng.randrange(1610, 1890)
    return (
        f"The {sight} of {town}, built by {name} in {year}, is open every day and lies {minutes} minutes from the "
        "station.",
        [f"The {town} {sight} can be visited on Sundays.", f"{name} built the {sight} in {town}.",
         f"The {sight} of {town} is more than a century old."],
        [f"The {town} {sight} is the most popular sight in the region.", f"{name} was born near the {sight} in {town}.",
         f"Visitors to the {sight} of {town} must buy a ticket."],
        [f"The {town} {sight} is closed on weekends.", f"Nobody knows who built the {sight} in {town}.",
         f"The {sight} of {town} was built only last year."],
    )


def _household(rng: random.Random) -> Situation:
    count, who = rng.choice(["two", "three", "four", "five"]), rng.choice(FIRST_NAMES)
    pet = rng.choice(["cats", "dogs", "goats", "parrots", "rabbits"])
    chore = rng.choice(["mow the lawn", "cook dinner", "fix the car", "do the laundry", "paint the porch"])
    return (
        f"yeah well we've got {count} {pet} at home and uh {who} has to {chore} every weekend because i'm always "
        "working",
        [f"{who} has to {chore}.", f"The speaker has {pet} and lives with {who}.",
         f"The speaker works a lot, so {who} has to {chore}."],
        [f"{who} is allergic to {pet}.", f"{who} wants to buy more {pet} next year.",
         f"{who} is paid to {chore}."],
        [f"The speaker owns no {pet}, and neither does {who}.", f"{who} never has to {chore}.",
         f"The speaker has plenty of free time to {chore} with {who}."],
    )


def _thanks(rng: random.Random) -> Situation:
    name, company = rng.choice(LAST_NAMES), rng.choice(COMPANIES)
    count, month = rng.randrange(20, 400), rng.choice(MONTHS)
    cause = rng.choice(["shelter", "library", "orchestra", "clinic", "youth club"])
    return (
        f"Thanks to your gift and a grant from {company}, Director {name} could keep the {cause} open for {count} "
        "families "
        f"in {month}.",
        [f"{company} supported the {cause}.", f"The {cause} led by {name} stayed open in {month}.",
         f"{name} is the director of the {cause}."],
        [f"{company} will double its grant to the {cause} next year.", f"{name} plans to retire from the {cause}.",
         f"The families told {name} that the {cause} was too small."],
        [f"{company} refused to help the {cause}.", f"{name} had to shut the {cause} in {month}.",
         f"Not a single family came to the {cause} of {name} in {month}."],
    )


def _childhood(rng: random.Random) -> Situation:
    relative = rng.choice(["grandmother", "uncle", "aunt", "older brother", "neighbor"])
    book = rng.choice(["sea stories", "ghost stories", "fairy tales", "adventure novels", "poems"])
    town, day = rng.choice(TOWNS), rng.choice(WEEKDAYS)
    return (
        f"When I was little we lived in {town}, and my {relative} would read {book} to me every {day}, which I loved.",
        [f"The speaker grew up in {town}.", f"The speaker enjoyed hearing {book} from the {relative} on {day}.",
         f"On {day} the {relative} used to read to a child in {town}."],
        [f"The {relative} in {town} had written the {book}.", f"The speaker now teaches {book} at a school in {town}.",
         f"The speaker's {relative} was a famous actor from {town}."],
        [f"The speaker has never been to {town}.", f"The speaker hated listening to {book} on {day}.",
         f"The {relative} in {town} never read anything to the speaker on {day}."],
    )


def _trade(rng: random.Random) -> Situation:
    first, second = rng.sample(COMPANIES, 2)
    year = rng.randrange(1950, 2010)
    goods = rng.choice(["glass bottles", "wool coats", "wooden toys", "bicycles", "tin boxes"])
    return (
        f"Until {year}, {first} made all of its {goods} by hand; then it bought machines from {second} and let half "
        "of its "
        "workers go.",
        [f"{first} became a customer of {second}.", f"{first} used machines to make {goods} after {year}.",
         f"{first} had fewer workers after {year}."],
        [f"The {goods} of {first} became cheaper after {year}.", f"The owner of {second} had once worked for {first}.",
         f"Workers at {first} went on strike in {year}."],
        [f"{first} never bought anything from {second}.", f"{first} stopped making {goods} altogether in {year}.",
         f"{first} hired twice as many workers after {year}."],
    )


def _voyage(rng: random.Random) -> Situation:
    captain, mate = rng.choice(LAST_NAMES), rng.choice(FIRST_NAMES)
    days, cargo = rng.randrange(3, 40), rng.choice(["salt", "timber", "oranges", "wool", "clay pots"])
    town = rng.choice(TOWNS)
    return (
        f"For {days} days there had been no wind, and Captain {captain} told {mate} that the {cargo} would not reach "
        f"{town} "
        "before winter.",
        [f"Captain {captain} spoke to {mate}.", f"The ship with {mate} on board carried {cargo}.",
         f"Captain {captain} expected to be late in {town}."],
        [f"{mate} had sailed with Captain {captain} for many years.",
         f"The {cargo} belonged to a rich merchant in {town}.",
         f"{mate} was afraid of dying before the ship reached {town}."],
        [f"Captain {captain} did not say a word to {mate}.", f"The wind had been strong all the way to {town}.",
         f"Captain {captain} was sure that the {cargo} would be in {town} within days."],
    )


def _report(rng: random.Random) -> Situation:
    agency = rng.choice(["Labor Office", "Forest Agency", "Harbor Commission", "Housing Bureau", "Road Administration"])
    town, year = rng.choice(TOWNS), rng.randrange(1980, 2020)
    low = rng.randrange(20, 60)
    things = rng.choice(["inspections", "permits", "complaints", "applications"])
    return (
        f"The {agency} in {town} reported that it had completed only {low} percent of its {things} by the end of "
        f"{year}, "
        "mainly because half of its staff had left.",
        [f"The {agency} in {town} did not complete all of its {things}.",
         f"The {agency} in {town} lost staff before {year} ended.",
         f"A report by the {agency} covered the {things} of {year}."],
        [f"The staff of the {agency} in {town} had asked for better pay.",
         f"The {agency} will hire new staff in {town}.",
         f"Most of the {things} of {year} came from outside {town}."],
        [f"The {agency} in {town} completed all of its {things}.",
         f"Nobody left the {agency} in {town} before {year} ended.",
         f"The {agency} published no report about the {things} of {year}."],
    )


def _inn(rng: random.Random) -> Situation:
    inn = rng.choice(["Blue Anchor", "Old Mill", "Golden Pear", "Three Herons", "Stone Bridge"])
    town, dish = rng.choice(TOWNS), rng.choice(["grilled trout", "onion pie", "roast duck", "mushroom soup",
                                                "lamb stew"])
    rooms, season = rng.randrange(6, 40), rng.choice(["summer", "spring", "autumn"])
    return (
        f"In {town}, the {inn} has {rooms} simple rooms with a view of the water, but most guests come in {season} "
        "for its "
        f"{dish}.",
        [f"Guests can eat {dish} at the {inn} in {town}.", f"The {inn} in {town} rents out rooms.",
         f"The rooms of the {inn} in {town} look out on the water."],
        [f"The {dish} at the {inn} in {town} is expensive.", f"The owner of the {inn} in {town} was born abroad.",
         f"The {inn} in {town} has been sold to a hotel chain."],
        [f"The {inn} in {town} serves no food.", f"No one can stay overnight at the {inn} in {town}.",
         f"The {inn} in {town} has luxurious rooms without any view."],
    )


def _hobby(rng: random.Random) -> Situation:
    who, day = rng.choice(FIRST_NAMES), rng.choice(WEEKDAYS)
    sport = rng.choice(["swimming", "bowling", "jogging", "dancing", "fishing", "climbing"])
    years = rng.choice(["two", "five", "ten", "fifteen"])
    return (
        f"oh i used to go {sport} with {who} every {day} for about {years} years but uh my knee got so bad that i quit",
        [f"The speaker no longer goes {sport} with {who}.", f"The speaker and {who} both went {sport}.",
         f"A bad knee kept the speaker from {sport} on {day}."],
        [f"{who} was better at {sport} than the speaker.",
         f"The speaker had surgery so as to go {sport} with {who} again.",
         f"{who} met the speaker at work on a {day}."],
        [f"The speaker still goes {sport} with {who}.", f"The speaker never went {sport} with {who}.",
         f"The speaker has perfect knees and goes {sport} every {day}."],
    )


def _invitation(rng: random.Random) -> Situation:
    name, town, month = rng.choice(LAST_NAMES), rng.choice(TOWNS), rng.choice(MONTHS)
    event = rng.choice(["dinner", "auction", "concert", "garden party", "open house"])
    goal = rng.choice(["scholarships", "a new roof", "a reading room", "school meals"])
    return (
        f"Please join President {name} at our yearly {event} in {town} this {month}; every dollar raised will go to "
        f"{goal}.",
        [f"President {name} will be at the {event} in {town}.", f"The {event} in {town} is meant to raise money.",
         f"The {event} with {name} takes place in {month}."],
        [f"President {name} will give a long speech in {town}.", f"Last year the {event} in {town} sold out.",
         f"The {event} with {name} will be held outdoors."],
        [f"President {name} will stay away from the {event} in {town}.",
         f"The {event} in {town} will not raise any money.",
         f"Nothing from the {event} with {name} will go to {goal}."],
    )


def _first_job(rng: random.Random) -> Situation:
    boss, town = rng.choice(FIRST_NAMES), rng.choice(TOWNS)
    job = rng.choice(["delivering papers", "washing dishes", "picking apples", "sweeping floors", "selling ice cream"])
    age, pay = rng.randrange(12, 19), rng.randrange(2, 9)
    return (
        f"I was {age} when I got my first job, {job} in {town}, and {boss} paid me {pay} dollars an hour, which felt "
        "like "
        "a fortune.",
        [f"The speaker worked for {boss} in {town}.", f"Before turning twenty, the speaker had a job {job} in {town}.",
         f"The speaker was happy with the money from {boss}."],
        [f"The speaker saved the money from {boss} to buy a car.", f"Many children in {town} had a job {job}.",
         f"{boss} owned the biggest business in {town}."],
        [f"The speaker never had a job in {town}.", f"{boss} paid the speaker nothing for {job}.",
         f"The speaker was disappointed by the money from {boss}."],
    )


def _word_history(rng: random.Random) -> Situation:
    word = rng.choice(["flindle", "moggart", "trasket", "wimbrel", "scoddle", "plunnet", "garvish", "hobbin"])
    trade = rng.choice(["shepherds", "sailors", "weavers", "miners", "bakers"])
    town, year = rng.choice(TOWNS), rng.randrange(1690, 1900)
    return (
        f"The word {word}, first printed in {year}, was used by {trade} around {town} for a broken tool; hardly "
        "anyone under "
        "fifty knows it today.",
        [f"Most young people do not know the word {word}.",
         f"The {trade} near {town} said {word} when a tool was broken.",
         f"The word {word} was in print before {year + 1}."],
        [f"The word {word} came to {town} from another language.", f"Poets in {town} were fond of the word {word}.",
         f"The {trade} near {town} had {year - 1650} other words for tools."],
        [f"Every child knows the word {word}.", f"The {trade} near {town} never used the word {word}.",
         f"The word {word} has never been printed."],
    )


MATCHED = {
    "fiction": [_handover, _voyage], "government": [_fees, _report], "travel": [_sight, _inn],
    "telephone": [_household, _hobby],
}
MISMATCHED = {
    "letters": [_thanks, _invitation], "facetoface": [_childhood, _first_job], "verbatim": [_trade, _word_history],
}
