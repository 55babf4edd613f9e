"""Compares pairs of texts by the rules of SQuAD's official evaluation: answers.py PAIRS.json

Prints for each pair whether it matches and its F1, as JSON.
"""

import collections
import json
import re
import string
import sys


def words(text):
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return re.sub(r"\b(?:a|an|the)\b", " ", kept).split()


def f1(predicted, right):
    if not predicted or not right:
        return float(predicted == right)
    shared = sum((collections.Counter(predicted) & collections.Counter(right)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(predicted), shared / len(right)
    return 2 * precision * recall / (precision + recall)


with open(sys.argv[1], encoding="utf-8") as file:
    pairs = [[words(text) for text in pair] for pair in json.load(file)]
print(json.dumps([[float(a == b), f1(a, b)] for a, b in pairs]))
