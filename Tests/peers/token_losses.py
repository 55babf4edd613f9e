"""Compares losses, gradients and entropies of decoders that read tokens, and of choices, with PyTorch's: token_losses.py CASES.json

Prints the largest differences as JSON, of losses in proportion to one above 1.
"""

import json
import sys

import torch
from torch.distributions import Categorical
from torch.nn import functional as F

differences = {"loss": 0.0, "measured loss": 0.0, "entropy": 0.0, "gradient": 0.0}


def note(name, distance):
    # Not a number is no agreement.
    differences[name] = max(differences[name], distance if distance == distance else float("inf"))


def expected(kind, examples):
    """The loss of a batch, and the distributions of each example."""
    if kind == "tagging":
        targets = torch.tensor([t if t >= 0 else -100 for e in examples for t in e["target"]]).long()
        words = [e["x"][torch.tensor(e["target"]) >= 0] for e in examples]
        return F.cross_entropy(torch.cat([e["x"] for e in examples]), targets, ignore_index=-100), words
    targets = [torch.tensor(e["target"]).long() for e in examples]
    # A row for the starts and one for the ends of an answer, or one for all choices.
    losses = [F.cross_entropy(e["x"].T, target) for e, target in zip(examples, targets)]
    return sum(losses) / len(losses), [e["x"].T for e in examples]


for case in json.load(open(sys.argv[1])):
    examples = case["examples"]
    for example in examples:
        example["x"] = torch.tensor(example["logits"], dtype=torch.float, requires_grad=True)
    loss, distributions = expected(case["kind"], examples)
    loss.backward()
    for name in ("loss", "measured_loss"):
        note(name.replace("_", " "), abs(loss.item() - case[name]) / max(1, loss.item()))
    for example, logits in zip(examples, distributions):
        note("gradient", (example["x"].grad - torch.tensor(example["gradient"], dtype=torch.float)).abs().max().item())
        note("entropy", abs(Categorical(logits=logits.double()).entropy().mean().item() - example["entropy"]))
        assert example["classes"] == logits.shape[1], (example["classes"], logits.shape)
print(json.dumps(differences))
