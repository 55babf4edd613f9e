"""QQP: pairs of questions that ask the same thing, or only look alike."""

from __future__ import annotations

import random
from pathlib import Path

from .drawing import Example, Split, draw_splits, other, sentence, write_table
from .words import TOWNS

SKILLS = [
    "Portuguese", "chess", "the violin", "calligraphy", "sign language", "juggling", "Swahili", "the accordion",
    "watercolor painting", "archery", "beekeeping", "pottery", "bookbinding", "sailing", "origami", "the ukulele",
    "Finnish", "ballroom dancing", "wood carving", "stage magic",
]
SETTINGS = ["at home", "after work", "without a teacher", "on a tight budget", "in a small town", "with a bad memory"]
STAINS = [
    "coffee", "red wine", "grass", "ink", "candle wax", "curry", "beet juice", "chocolate", "motor oil", "lipstick",
]
CLOTHS = [
    "a wool sweater", "a cotton shirt", "a linen jacket", "a silk scarf", "a sofa", "a carpet", "jeans",
    "a tablecloth",
]
FOODS = [
    "spinach", "lentils", "figs", "goat cheese", "oatmeal", "walnuts", "kidney beans", "seaweed", "pumpkin",
    "plain yogurt", "sardines", "beetroot", "dried apricots", "chestnuts",
]
PETS = ["rabbit", "parrot", "tortoise", "hamster", "gecko", "parakeet", "guinea pig", "ferret", "poodle", "kitten"]
JOBS = [
    "roofer", "midwife", "pastry chef", "surveyor", "translator", "welder", "librarian", "bus driver", "park ranger",
    "pharmacist", "locksmith", "dental nurse",
]
CURRENCIES = ["euros", "yen", "pesos", "rupees", "krona", "pounds", "francs", "dinars", "lira", "rand"]
DEVICES = ["printer", "phone", "laptop", "dishwasher", "radio", "router", "camera", "freezer", "scanner", "heat pump"]

# Wordings of each intent, the words for their slots, and other words for these slots. A pair of one intent's wordings
# with the same words is a duplicate; a pair of two intents, or one with other words, is not.
Topic = tuple[list[list[str]], tuple[str, ...], tuple[str, ...]]


def _learning(rng: random.Random) -> Topic:
    skill, setting = rng.choice(SKILLS), rng.choice(SETTINGS)
    intents = [
        ["What is the best way to learn {0} {1}?", "How should I start learning {0} {1}?", "How can I study {0} {1}?"],
        ["How long does it take to master {0} {1}?", "How many years do people need to become good at {0} {1}?"],
        ["Why do people who learn {0} {1} give up?", "What makes someone quit after learning {0} {1}?"],
    ]
    return intents, (skill, setting), (other(rng, SKILLS, skill), setting)


def _stain(rng: random.Random) -> Topic:
    stain, cloth = rng.choice(STAINS), rng.choice(CLOTHS)
    intents = [
        ["How do I remove {0} stains from {1}?", "What is the easiest way to get {0} out of {1}?",
         "What takes {0} marks off {1}?"],
        ["Why does {0} leave such dark stains on {1}?", "What makes {0} stain {1} so badly?"],
    ]
    return intents, (stain, cloth), (other(rng, STAINS, stain), other(rng, CLOTHS, cloth))


def _eating(rng: random.Random) -> Topic:
    food, pet = rng.choice(FOODS), rng.choice(PETS)
    intents = [
        ["Is it safe to feed {0} to a {1}?", "Can I give my {1} some {0}?", "Are {1}s allowed to eat {0}?"],
        ["How do I stop my {1} from stealing {0}?", "My {1} keeps taking {0} from the table: how can I prevent it?"],
        ["Why does my {1} refuse to eat {0}?", "What could be the reason my {1} will not touch {0}?"],
    ]
    return intents, (food, pet), (food, other(rng, PETS, pet))


def _career(rng: random.Random) -> Topic:
    job, town = rng.choice(JOBS), rng.choice(TOWNS)
    intents = [
        ["How can I become a {0} in {1}?", "What do I have to do to work as a {0} in {1}?"],
        ["How much does a {0} earn in {1}?", "What is the usual salary of a {0} in {1}?"],
        ["Where can I hire a good {0} in {1}?", "Who is the most reliable {0} in {1}?"],
    ]
    return intents, (job, town), (other(rng, JOBS, job), town)


def _exchange(rng: random.Random) -> Topic:
    first, second = rng.sample(CURRENCIES, 2)
    amount = str(rng.randrange(2, 90) * 10)
    intents = [
        ["How do I convert {2} {0} to {1}?", "How many {1} do I get for {2} {0}?", "What are {2} {0} worth in {1}?"],
        ["Where can I borrow {2} {0} to buy {1}?", "Who lends {2} {0} to people who want {1}?"],
    ]
    return intents, (first, second, amount), (second, first, amount)


def _repair(rng: random.Random) -> Topic:
    device = rng.choice(DEVICES)
    age = rng.choice(["two", "three", "four", "five", "six", "seven", "twelve", "nine", "ten"]) + "-year-old"
    intents = [
        ["How can I fix a {1} {0} that does not turn on?", "My {1} {0} will not start: how do I repair it?"],
        ["What should I pay for a {1} {0}?", "How much is a {1} {0} worth?"],
        ["Where can I recycle a {1} {0}?", "Who takes a {1} {0} for recycling?"],
    ]
    return intents, (device, age), (other(rng, DEVICES, device), age)


TOPICS = [_learning, _stain, _eating, _career, _exchange, _repair]


def _scene(rng: random.Random) -> list[Example]:
    intents, slots, other_slots = rng.choice(TOPICS)(rng)
    asked = rng.randrange(len(intents))
    first, again = rng.sample(intents[asked], 2)
    duplicate = rng.random() < 0.42
    if duplicate:
        pair = (first.format(*slots), again.format(*slots))
    elif rng.random() < 0.5:
        pair = (first.format(*slots), again.format(*other_slots))
    else:
        pair = (first.format(*slots), rng.choice(other(rng, intents, intents[asked])).format(*slots))
    return [Example((sentence(pair[0]), sentence(pair[1])), "1" if duplicate else "0")]


def write(folder: Path) -> dict[str, list[Example]]:
    """Writes QQP's three files."""
    drawn = draw_splits("QQP", [Split("test", 60, _scene), Split("dev", 150, _scene), Split("train", 700, _scene)])
    number = 0
    for name in ("train", "dev"):
        lines = []
        for row in drawn[name]:
            number += 1
            lines.append((str(number), str(2 * number - 1), str(2 * number), *row.texts, row.label))
        header = ("id", "qid1", "qid2", "question1", "question2", "is_duplicate")
        write_table(folder / "QQP" / f"{name}.tsv", header, lines)
    rows = [(str(index), *row.texts) for index, row in enumerate(drawn["test"])]
    write_table(folder / "QQP" / "test.tsv", ("id", "question1", "question2"), rows)
    return drawn
