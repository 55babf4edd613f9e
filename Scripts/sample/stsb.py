"""STS-B: caption-like pairs whose score counts, by weight, the parts on which they agree."""

from __future__ import annotations

import random
from pathlib import Path

from .drawing import Example, Split, draw_splits, other, write_table

# Each group holds wordings of about the same meaning; groups of one list mean different things.
AGENTS = [["A man", "A guy"], ["A woman", "A lady"], ["A boy", "A young boy"], ["A girl", "A young girl"],
          ["A dog", "A puppy"], ["A cat", "A kitten"], ["A chef", "A cook"], ["A police officer", "A policeman"],
          ["Two children", "Two kids"], ["Three monkeys", "Three apes"]]
RELATED_AGENTS = {0: [1, 2, 6], 1: [0, 3, 6], 2: [3, 0, 8], 3: [2, 1, 8], 4: [5], 5: [4], 6: [0, 1], 7: [0], 8: [2, 3],
                  9: [4]}
PLURAL_AGENTS = (8, 9)
# The related groups of an action are those in the same row.
ACTIONS = [
    [["eating a sandwich", "munching on a sandwich"], ["eating an apple", "chewing an apple"]],
    [["playing a guitar", "strumming a guitar"], ["playing a flute", "blowing into a flute"]],
    [["riding a horse", "sitting on a galloping horse"], ["riding a bicycle", "cycling on a bike"]],
    [["pushing a cart", "shoving a trolley"], ["pulling a sled", "dragging a sledge"]],
    [["washing a car", "cleaning a car"], ["painting a fence", "putting paint on a fence"]],
    [["throwing a ball", "tossing a ball"], ["kicking a ball", "hitting a ball with the foot"]],
    [["climbing a tree", "going up a tree"], ["climbing a rope", "going up a rope"]],
    [["looking at a map", "studying a map"], ["reading a newspaper", "looking through a newspaper"]],
]
PLACES = [["in a park", "in a public garden"], ["on a beach", "by the sea"], ["in a kitchen", "inside a kitchen"],
          ["on a stage", "in front of an audience"], ["in the street", "on a road"], ["near a lake", "next to a pond"],
          ["in a classroom", "at school"], ["on a rooftop", "on top of a building"]]
TIMES = [["at night", "after dark"], ["in the rain", "on a rainy day"], ["in the snow", "on a snowy day"],
         ["at sunrise", "early in the morning"], ["under a clear sky", "on a sunny day"]]

AGENT_WEIGHT, ACTION_WEIGHT, PLACE_WEIGHT, TIME_WEIGHT = 1.4, 2.0, 1.0, 0.6
REWORDED = 0.95
RELATED = 0.5


def _same(rng: random.Random, group: list[str], word: str) -> tuple[str, float]:
    """The same wording or another of the group, with its share of the part's weight."""
    again = rng.choice(group)
    return again, 1.0 if again == word else REWORDED


def _second_agent(rng: random.Random, index: int, word: str, keep: float) -> tuple[int, str, float]:
    draw = rng.random()
    if draw < keep:
        return (index, *_same(rng, AGENTS[index], word))
    if draw < keep + (1 - keep) * 0.5:
        near = rng.choice(RELATED_AGENTS[index])
        return near, rng.choice(AGENTS[near]), RELATED
    far = other(rng, range(len(AGENTS)), index, *RELATED_AGENTS[index])
    return far, rng.choice(AGENTS[far]), 0.0


def _second_action(rng: random.Random, row: int, column: int, word: str, keep: float) -> tuple[str, float]:
    draw = rng.random()
    if draw < keep:
        return _same(rng, ACTIONS[row][column], word)
    if draw < keep + (1 - keep) * 0.35:
        return rng.choice(ACTIONS[row][1 - column]), RELATED
    return rng.choice(rng.choice(ACTIONS[other(rng, range(len(ACTIONS)), row)])), 0.0


def _second_setting(rng: random.Random, pool: list[list[str]], index: int, word: str, keep: float) -> tuple[str, float]:
    if rng.random() < keep:
        return _same(rng, pool[index], word)
    return rng.choice(pool[other(rng, range(len(pool)), index)]), 0.0


def _caption(agent: int, who: str, action: str, place: str, time: str) -> str:
    return f"{who} {'are' if agent in PLURAL_AGENTS else 'is'} {action} {place} {time}."


def _scene(rng: random.Random) -> list[Example]:
    keep = rng.choice([0.02, 0.25, 0.5, 0.75, 0.97])
    agent = rng.randrange(len(AGENTS))
    row, column = rng.randrange(len(ACTIONS)), rng.randrange(2)
    place, time = rng.randrange(len(PLACES)), rng.randrange(len(TIMES))
    who, action = rng.choice(AGENTS[agent]), rng.choice(ACTIONS[row][column])
    where, when = rng.choice(PLACES[place]), rng.choice(TIMES[time])
    agent_again, who_again, agent_share = _second_agent(rng, agent, who, keep)
    action_again, action_share = _second_action(rng, row, column, action, keep)
    where_again, place_share = _second_setting(rng, PLACES, place, where, keep)
    when_again, time_share = _second_setting(rng, TIMES, time, when, keep)
    score = (AGENT_WEIGHT * agent_share + ACTION_WEIGHT * action_share
             + PLACE_WEIGHT * place_share + TIME_WEIGHT * time_share)
    pair = (_caption(agent, who, action, where, when),
            _caption(agent_again, who_again, action_again, where_again, when_again))
    return [] if pair[0] == pair[1] else [Example(pair, f"{score:.3f}")]


def write(folder: Path) -> dict[str, list[Example]]:
    """Writes STS-B's three files with GLUE's ten columns, nine in test."""
    drawn = draw_splits("STS-B", [Split("test", 60, _scene), Split("dev", 150, _scene), Split("train", 700, _scene)])
    header = ("index", "genre", "filename", "year", "old_index", "source1", "source2", "sentence1", "sentence2",
              "score")
    for name, rows in drawn.items():
        lines = [(str(index), "main-captions", "sample", "none", f"{index:04d}", "none", "none", *row.texts, row.label)
                 for index, row in enumerate(rows)]
        columns = 9 if name == "test" else 10
        write_table(folder / "STS-B" / f"{name}.tsv", header[:columns], [line[:columns] for line in lines])
    return drawn
