"""CoLA: acceptable sentences and the same kinds of sentence with one rule of English broken."""

from __future__ import annotations

import random
from pathlib import Path

from .drawing import Example, Split, article, draw_splits, sentence, write_table
from .words import FIRST_NAMES, MEN, WOMEN

THINGS = [
    "lamp", "ladder", "kettle", "basket", "blanket", "drawer", "mirror", "violin", "bicycle", "curtain", "hammer",
    "jacket", "letter", "parcel", "bucket", "carpet", "clock", "saddle", "ticket", "window",
]
ROLES = [
    "baker", "pilot", "farmer", "tailor", "gardener", "plumber", "teacher", "sailor", "doctor", "painter", "driver",
    "clerk",
]
PLACES = [
    "in the attic", "near the river", "behind the school", "at the market", "on the balcony", "by the station",
    "in the cellar", "across the yard",
]
ADJECTIVES = ["old", "quiet", "young", "tired", "clever", "cheerful", "proud", "nervous"]
# Base form, third person, past, participle, -ing form; each takes a thing as its object.
TRANSITIVE = [
    ("buy", "buys", "bought", "bought", "buying"), ("break", "breaks", "broke", "broken", "breaking"),
    ("steal", "steals", "stole", "stolen", "stealing"), ("hide", "hides", "hid", "hidden", "hiding"),
    ("draw", "draws", "drew", "drawn", "drawing"), ("choose", "chooses", "chose", "chosen", "choosing"),
    ("sell", "sells", "sold", "sold", "selling"), ("find", "finds", "found", "found", "finding"),
    ("take", "takes", "took", "taken", "taking"), ("bring", "brings", "brought", "brought", "bringing"),
]
OVERREGULAR = {
    "bought": "buyed", "broke": "breaked", "stole": "stealed", "hid": "hided", "drew": "drawed", "chose": "choosed",
    "sold": "selled", "found": "finded", "took": "taked", "brought": "bringed",
}
# Subject form, object form.
PRONOUNS = [("I", "me"), ("he", "him"), ("she", "her"), ("we", "us"), ("they", "them")]
INTRANSITIVE = [("sleep", "sleeps", "slept"), ("arrive", "arrives", "arrived"), ("laugh", "laughs", "laughed"),
                ("sneeze", "sneezes", "sneezed"), ("wait", "waits", "waited"), ("smile", "smiles", "smiled")]
STATES = ["rusty", "dusty", "broken", "expensive", "missing", "heavy", "ready", "dirty"]
COMPARATIVES = ["taller", "heavier", "cheaper", "older", "smaller", "cleaner", "stronger", "lighter"]
SELECTED = [("depends", "on", "at"), ("waits", "for", "of"), ("belongs", "to", "from"), ("listens", "to", "of"),
            ("looks", "after", "among"), ("laughs", "at", "into")]
ADVERBS = ["quickly", "carefully", "secretly", "suddenly", "quietly", "slowly"]
DAYS = ["yesterday", "last week", "this morning", "on Friday", "before lunch", "after the storm"]


def _number_agreement(rng: random.Random) -> tuple[str, str]:
    base, third, _ = rng.choice(INTRANSITIVE)
    head = f"{rng.choice(ADJECTIVES)} {rng.choice(ROLES)}"
    tail = f"{rng.choice(PLACES)} every {rng.choice(['day', 'night', 'Sunday', 'winter'])}"
    if rng.random() < 0.5:
        return f"The {head}s {base} {tail}.", f"The {head}s {third} {tail}."
    return f"The {head} {third} {tail}.", f"The {head} {base} {tail}."


def _agreement_across_phrase(rng: random.Random) -> tuple[str, str]:
    inner, outer = rng.sample(THINGS, 2)
    link = rng.choice(["next to", "beside", "under", "behind"])
    state = rng.choice(STATES)
    if rng.random() < 0.5:
        return f"The {outer}s {link} the {inner} are {state}.", f"The {outer}s {link} the {inner} is {state}."
    return f"The {outer} {link} the {inner}s is {state}.", f"The {outer} {link} the {inner}s are {state}."


def _determiner(rng: random.Random) -> tuple[str, str]:
    verb, thing, who = rng.choice(TRANSITIVE)[2], rng.choice(THINGS), rng.choice(FIRST_NAMES)
    few = rng.choice(["these two", "several", "many", "those three", "both"])
    one = rng.choice(["this", "every", "each", "another"])
    if rng.random() < 0.5:
        return f"{who} {verb} {few} {thing}s.", f"{who} {verb} {few} {thing}."
    return f"{who} {verb} {one} {thing}.", f"{who} {verb} {one} {thing}s."


def _participle(rng: random.Random) -> tuple[str, str]:
    base, _, _, participle, ing = rng.choice(TRANSITIVE)
    head, thing = f"The {rng.choice(ROLES)} has", f"the {rng.choice(THINGS)} {rng.choice(PLACES)}."
    return f"{head} {participle} {thing}", f"{head} {rng.choice([base, ing])} {thing}"


def _reflexive(rng: random.Random) -> tuple[str, str]:
    who, right, wrong = rng.choice([
        (rng.choice(WOMEN), "herself", "himself"), (rng.choice(MEN), "himself", "herself"),
        ("The " + rng.choice(ROLES) + "s", "themselves", "itself"), ("We", "ourselves", "myself"),
    ])
    verb = rng.choice(["blamed", "praised", "hurt", "surprised", "amused"])
    day = rng.choice(DAYS)
    return f"{who} {verb} {right} {day}.", f"{who} {verb} {wrong} {day}."


def _word_order(rng: random.Random) -> tuple[str, str]:
    who, verb, thing, day = rng.choice(FIRST_NAMES), rng.choice(TRANSITIVE)[2], rng.choice(THINGS), rng.choice(DAYS)
    adjective = rng.choice(["red", "wooden", "new", "cheap", "narrow"])
    broken = rng.choice([
        f"{who} {verb} {adjective} the {thing} {day}.", f"{who} {verb} the {thing} {adjective} a {day}.",
        f"{who} the {adjective} {verb} {thing} {day}.", f"{verb.capitalize()} {who} {thing} the {adjective} {day}.",
    ])
    return f"{who} {verb} the {adjective} {thing} {day}.", broken


def _question(rng: random.Random) -> tuple[str, str]:
    base, _, past, _, _ = rng.choice(TRANSITIVE)
    role, place = rng.choice(ROLES), rng.choice(PLACES)
    asked = rng.choice(["What", f"Which {rng.choice(THINGS)}", f"Whose {rng.choice(THINGS)}"])
    broken = rng.choice([f"{asked} the {role} did {base} {place}?", f"{asked} did the {role} {past} {place}?",
                         f"{asked} did the {role} {base} it {place}?"])
    return f"{asked} did the {role} {base} {place}?", broken


def _valency(rng: random.Random) -> tuple[str, str]:
    past, role, place = rng.choice(INTRANSITIVE)[2], rng.choice(ROLES), rng.choice(PLACES)
    adjective = rng.choice(ADJECTIVES)
    return f"The {adjective} {role} {past} {place}.", f"The {adjective} {role} {past} the {rng.choice(THINGS)} {place}."


def _infinitive(rng: random.Random) -> tuple[str, str]:
    who, (base, _, past, _, _), thing = rng.choice(FIRST_NAMES), rng.choice(TRANSITIVE), rng.choice(THINGS)
    verb = rng.choice(["wants", "hopes", "plans", "promised", "refused"])
    day = rng.choice(["tomorrow", "next week", "before Friday", "in spring"])
    return f"{who} {verb} to {base} {article(thing)} {day}.", \
        f"{who} {verb} {rng.choice(['', 'to '])}{past} {article(thing)} {day}."


def _comparative(rng: random.Random) -> tuple[str, str]:
    first, second = rng.sample(THINGS, 2)
    word = rng.choice(COMPARATIVES)
    return f"This {first} is {word} than that {second}.", \
        f"This {first} is {rng.choice(['more', 'most'])} {word} than that {second}."


def _preposition(rng: random.Random) -> tuple[str, str]:
    who, (verb, right, wrong) = rng.choice(FIRST_NAMES), rng.choice(SELECTED)
    if verb == "belongs":
        who = f"This {rng.choice(THINGS)}"
    whom = f"the {rng.choice(ADJECTIVES)} {rng.choice(ROLES)}"
    return f"{who} {verb} {right} {whom}.", f"{who} {verb} {wrong} {whom}."


def _negation(rng: random.Random) -> tuple[str, str]:
    base, _, past, _, _ = rng.choice(TRANSITIVE)
    role, thing, day = rng.choice(ROLES), rng.choice(THINGS), rng.choice(DAYS)
    broken = rng.choice([f"did not {past}", f"not {base}", f"{past} not", f"not did {base}"])
    return f"The {role} did not {base} the {thing} {day}.", f"The {role} {broken} the {thing} {day}."


def _adverb(rng: random.Random) -> tuple[str, str]:
    who, verb, thing = rng.choice(FIRST_NAMES), rng.choice(TRANSITIVE)[2], rng.choice(THINGS)
    adverb = rng.choice(ADVERBS)
    broken = rng.choice([f"{who} {verb} the {adverb} {thing}.", f"{who} {verb} {adverb} the {thing}.",
                         f"{who} {verb} the {thing} {adverb} did."])
    return rng.choice([f"{who} {adverb} {verb} the {thing}.", f"{who} {verb} the {thing} {adverb}."]), broken


def _past_form(rng: random.Random) -> tuple[str, str]:
    past = rng.choice(TRANSITIVE)[2]
    head = f"The {rng.choice(ADJECTIVES)} {rng.choice(ROLES)}"
    tail = f"{article(rng.choice(THINGS))} {rng.choice(DAYS)}."
    return f"{head} {past} {tail}", f"{head} {OVERREGULAR[past]} {tail}"


def _pronoun_case(rng: random.Random) -> tuple[str, str]:
    (subject, object_), past, role = rng.choice(PRONOUNS), rng.choice(TRANSITIVE)[2], rng.choice(ROLES)
    thing, day = rng.choice(THINGS), rng.choice(DAYS)
    if rng.random() < 0.6:
        return sentence(f"{subject} {past} the {thing} {day}."), sentence(f"{object_} {past} the {thing} {day}.")
    verb = rng.choice(["thanked", "met", "visited", "paid", "scolded"])
    return f"The {role} {verb} {object_} {day}.", f"The {role} {verb} {subject} {day}."


def _scrambled(rng: random.Random) -> tuple[str, str]:
    good = [rng.choice(FIRST_NAMES), rng.choice(TRANSITIVE)[2], "the", rng.choice(THINGS), *rng.choice(PLACES).split()]
    bad = good[:]
    # "The" before a preposition, before another "the" or at the end makes any order wrong.
    while not any(word == "the" and after in ("the", good[4], "") for word, after in zip(bad, [*bad[1:], ""])):
        rng.shuffle(bad)
    return " ".join(good) + ".", sentence(" ".join(bad)) + "."


# How often each kind of sentence is drawn; those that a small model learns late are rare.
PATTERNS = {
    _past_form: 8, _pronoun_case: 6, _scrambled: 6, _comparative: 4, _negation: 4, _participle: 1, _infinitive: 1,
    _word_order: 1, _adverb: 1, _preposition: 1, _question: 1, _determiner: 1, _number_agreement: 1, _reflexive: 1,
    _agreement_across_phrase: 1, _valency: 1,
}


def _scene(rng: random.Random) -> list[Example]:
    good, bad = rng.choices(list(PATTERNS), weights=list(PATTERNS.values()))[0](rng)
    if rng.random() < 0.58:
        return [Example((good,), "1")]
    return [Example((bad,), "0")]


def write(folder: Path) -> dict[str, list[Example]]:
    """Writes CoLA's three files; train and dev have no header, as in GLUE."""
    drawn = draw_splits("CoLA", [Split("test", 60, _scene), Split("dev", 150, _scene), Split("train", 800, _scene)])
    for name in ("train", "dev"):
        rows = [("smp1", row.label, "" if row.label == "1" else "*", row.texts[0]) for row in drawn[name]]
        write_table(folder / "CoLA" / f"{name}.tsv", None, rows)
    rows = [(str(index), row.texts[0]) for index, row in enumerate(drawn["test"])]
    write_table(folder / "CoLA" / "test.tsv", ("index", "sentence"), rows)
    return drawn
