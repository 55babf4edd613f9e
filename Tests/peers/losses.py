"""Compares losses and their gradients with PyTorch's: losses.py CASES.json

Prints the largest differences of losses, of one above 1 in proportion to it, and of gradients as JSON.
"""

import json
import sys

import torch
from torch.nn import functional as F

differences = {"loss": 0.0, "gradient": 0.0}
for case in json.load(open(sys.argv[1])):
    logits = torch.tensor(case["logits"], dtype=torch.float, requires_grad=True)
    targets = torch.tensor(case["targets"], dtype=torch.float)
    if case["kind"] == "classification":
        weights = case["weights"] and torch.tensor(case["weights"], dtype=torch.float)
        loss = F.cross_entropy(logits, targets[:, 0].long(), weights, label_smoothing=case["smoothing"])
    elif case["kind"] == "regression":
        # In double precision, as labels far from 0 lose digits in their distance from the mean.
        loss = F.mse_loss(logits, ((targets.double() - case["mean"]) / case["deviation"]).float())
    else:
        loss = F.binary_cross_entropy_with_logits(logits, targets)
    loss.backward()
    differences["loss"] = max(differences["loss"], abs(loss.item() - case["loss"]) / max(1, loss.item()))
    distance = (logits.grad - torch.tensor(case["gradient"], dtype=torch.float)).abs().max().item()
    differences["gradient"] = max(differences["gradient"], distance)
print(json.dumps(differences))
