"""MNLI's premises: each situation returns a premise and what it entails, leaves open and contradicts.

The genres of the mismatched files tell of the same kinds of situations, of other topics and in other words around them,
so that what is learned on the matched genres carries over.
"""

from __future__ import annotations

import random

from .words import FIRST_NAMES, LAST_NAMES, MONTHS, TOWNS, WEEKDAYS

# A premise, hypotheses it entails, hypotheses it leaves open and hypotheses it contradicts.
Situation = tuple[str, list[str], list[str], list[str]]

# What may take a place in a situation.
Topics = dict[str, list[str]]

MATCHED_TOPICS = {
    "places": ["cellar", "barn", "attic", "workshop", "chapel", "tower"],
    "old things": ["lantern", "map", "pistol", "diary", "silver key", "violin"],
    "cargoes": ["salt", "timber", "oranges", "wool", "clay pots"],
    "bodies": ["council", "water board", "school board", "transport agency"],
    "charges": ["fees", "tolls", "property taxes", "fares"],
    "agencies": ["Labor Office", "Forest Agency", "Harbor Commission", "Housing Bureau", "Road Administration"],
    "tasks": ["inspections", "permits", "complaints", "applications"],
    "sights": ["lighthouse", "cathedral", "castle", "botanical garden", "market square", "aqueduct"],
    "inns": ["Blue Anchor", "Old Mill", "Golden Pear", "Three Herons", "Stone Bridge"],
    "dishes": ["grilled trout", "onion pie", "roast duck", "mushroom soup", "lamb stew"],
    "pets": ["cats", "dogs", "goats", "parrots", "rabbits"],
    "chores": ["mow the lawn", "cook dinner", "fix the car", "do the laundry", "paint the porch"],
    "sports": ["swimming", "bowling", "jogging", "dancing", "fishing", "climbing"],
}
MISMATCHED_TOPICS = {
    "places": ["mill", "stable", "boathouse", "greenhouse", "bakery", "vault"],
    "old things": ["compass", "letter", "sword", "songbook", "gold ring", "flute"],
    "cargoes": ["sugar", "coal", "lemons", "cotton", "roof tiles"],
    "bodies": ["assembly", "power board", "library board", "housing agency"],
    "charges": ["rents", "parking charges", "income taxes", "prices"],
    "agencies": ["Tax Office", "River Agency", "Airport Commission", "Census Bureau", "Mining Administration"],
    "tasks": ["surveys", "licenses", "audits", "hearings"],
    "sights": ["windmill", "monastery", "fortress", "sculpture park", "fish market", "observatory"],
    "inns": ["Red Lantern", "New Harbor", "Silver Plum", "Two Foxes", "Wooden Gate"],
    "dishes": ["smoked eel", "apple pie", "fried chicken", "tomato soup", "bean stew"],
    "pets": ["horses", "turtles", "hens", "canaries", "hamsters"],
    "chores": ["rake the leaves", "bake bread", "wash the car", "do the dishes", "clean the windows"],
    "sports": ["rowing", "skating", "riding", "hiking", "sailing", "cycling"],
}


def _handover(rng: random.Random, topics: Topics) -> Situation:
    who, whom = rng.sample(FIRST_NAMES, 2)
    place = rng.choice(topics["places"])
    thing = rng.choice(topics["old things"])
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


def _voyage(rng: random.Random, topics: Topics) -> Situation:
    captain, mate = rng.choice(LAST_NAMES), rng.choice(FIRST_NAMES)
    days = rng.randrange(3, 40)
    cargo = rng.choice(topics["cargoes"])
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


def _fees(rng: random.Random, topics: Topics) -> Situation:
    town, month = rng.choice(TOWNS), rng.choice(MONTHS)
    body = rng.choice(topics["bodies"])
    count = rng.randrange(12, 90)
    item = rng.choice(topics["charges"])
    return (
        f"In {month}, the {town} {body} raised {item} by {count} percent to cover the cost of repairs.",
        [f"The {town} {body} increased {item}.", f"People in {town} faced higher {item} after {month}.",
         f"The {body} in {town} needed money for repairs."],
        [f"Voters in {town} were angry about the {item}.", f"The {town} {body} plans another increase next {month}.",
         f"The {body} in {town} had wasted its savings on a new office."],
        [f"The {town} {body} lowered {item}.", f"The {item} in {town} did not change in {month}.",
         f"The {body} in {town} had no repairs to pay for."],
    )


def _report(rng: random.Random, topics: Topics) -> Situation:
    agency = rng.choice(topics["agencies"])
    town, year = rng.choice(TOWNS), rng.randrange(1980, 2020)
    low = rng.randrange(20, 60)
    things = rng.choice(topics["tasks"])
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


def _sight(rng: random.Random, topics: Topics) -> Situation:
    town, name = rng.choice(TOWNS), rng.choice(LAST_NAMES)
    sight = rng.choice(topics["sights"])
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


def _inn(rng: random.Random, topics: Topics) -> Situation:
    inn = rng.choice(topics["inns"])
    town = rng.choice(TOWNS)
    dish = rng.choice(topics["dishes"])
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


def _household(rng: random.Random, topics: Topics) -> Situation:
    count, who = rng.choice(["two", "three", "four", "five"]), rng.choice(FIRST_NAMES)
    pet = rng.choice(topics["pets"])
    chore = rng.choice(topics["chores"])
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


def _hobby(rng: random.Random, topics: Topics) -> Situation:
    who, day = rng.choice(FIRST_NAMES), rng.choice(WEEKDAYS)
    sport = rng.choice(topics["sports"])
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


def _plain(rng: random.Random, premise: str) -> str:
    return premise


def _letter(rng: random.Random, premise: str) -> str:
    name, month = rng.choice(FIRST_NAMES), rng.choice(MONTHS)
    return f"Dear {name}, thank you for your letter of {month}. {premise}"


def _conversation(rng: random.Random, premise: str) -> str:
    for old, new in (("yeah well ", ""), ("oh i ", "I "), ("uh ", ""), ("i'm", "I'm"), ("that i ", "that I ")):
        premise = premise.replace(old, new)
    return f"{rng.choice(['Well, you know', 'So, as I said', 'To be honest'])}, {premise}."


def _record(rng: random.Random, premise: str) -> str:
    return f"Entry {rng.randrange(2, 90)} of the archive in {rng.choice(TOWNS)} reads as follows. {premise}"


# Each genre's situations, their topics and how they are told.
MATCHED = {
    "fiction": ([_handover, _voyage], MATCHED_TOPICS, _plain), "government": ([_fees, _report], MATCHED_TOPICS, _plain),
    "travel": ([_sight, _inn], MATCHED_TOPICS, _plain), "telephone": ([_household, _hobby], MATCHED_TOPICS, _plain),
}
MISMATCHED = {
    "letters": ([_handover, _voyage, _inn], MISMATCHED_TOPICS, _letter),
    "facetoface": ([_household, _hobby], MISMATCHED_TOPICS, _conversation),
    "verbatim": ([_fees, _report, _sight], MISMATCHED_TOPICS, _record),
}
