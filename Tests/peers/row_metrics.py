"""Compares metrics of answers with SQuAD's official rules: row_metrics.py CASES.json

Prints the largest difference of each value as JSON; one above 1e-9 is an error.
"""

import json
import re
import string
import sys
from collections import Counter

PUNCTUATION = set(string.punctuation)


def normal(text):
    """Lower case, then no punctuation, then no articles, then one space between words."""
    text = "".join(character for character in text.lower() if character not in PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def f1(predicted, answer, both_empty):
    ours, theirs = normal(predicted).split(), normal(answer).split()
    if both_empty and not (ours and theirs):
        return float(ours == theirs)
    shared = sum((Counter(ours) & Counter(theirs)).values())
    if shared == 0:
        return 0.0
    precision, recall = shared / len(ours), shared / len(theirs)
    return 2 * precision * recall / (precision + recall)


def answer(case):
    predicted = case["predicted"]
    # Version 2 leaves out answers of which nothing is left, and a question without one has the empty answer.
    second = [text for text in case["answers"] if normal(text)] or [""]
    expected = {
        "exact": max(float(normal(predicted) == normal(text)) for text in second),
        "f1": max(f1(predicted, text, True) for text in second)}
    # In version 1.1 each answer has words.
    if case["answers"] and all(map(normal, case["answers"])):
        expected["1.1 exact"] = max(float(normal(predicted) == normal(text)) for text in case["answers"])
        expected["1.1 f1"] = max(f1(predicted, text, False) for text in case["answers"])
    return expected


differences, faults = {}, []
for case in json.load(open(sys.argv[1])):
    for name, value in globals()[case["kind"]](case).items():
        key = f"{case['kind']} {name}"
        difference = abs(value - case["found"][name.removeprefix("1.1 ")])
        differences[key] = max(differences.get(key, 0), difference)
        # Not a number is no agreement.
        if not difference <= 1e-9:
            faults.append(f"{key} is {value}: {json.dumps(case)[:1000]}")
print(json.dumps(differences))
if faults:
    sys.exit(f"{len(faults)} differ, the first: {faults[0]}")
