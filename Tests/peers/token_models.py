"""Compares losses and gradients of whole models with transformers': token_models.py CASES.json

Prints the largest differences as JSON: of each model's loss, and of its gradients in proportion to the largest of all.
"""

import json
import sys

import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForMultipleChoice, BertForQuestionAnswering, BertForTokenClassification

config = BertConfig(
    hidden_size=24, num_hidden_layers=3, num_attention_heads=3, intermediate_size=20, vocab_size=30, num_labels=3,
    hidden_dropout_prob=0, attention_probs_dropout_prob=0)


def padded(rows, value):
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])


differences = {}
for case in json.load(open(sys.argv[1])):
    kind, examples = case["model"], case["examples"]
    sequences = [ids for example in examples for ids in example["sequences"]]
    inputs = {
        "input_ids": padded(sequences, 0), "attention_mask": padded([[1] * len(ids) for ids in sequences], 0),
        "token_type_ids": padded([[0, 0] + [1] * (len(ids) - 2) for ids in sequences], 0)}
    targets = [example["target"] for example in examples]
    if kind == "BertForTokenClassification":
        model = BertForTokenClassification(config)
        labels = padded([[-100 if tag < 0 else tag for tag in tags] for tags in targets], -100)
        inputs["labels"] = labels
    elif kind == "BertForQuestionAnswering":
        config.num_labels = 2
        model = BertForQuestionAnswering(config)
        inputs["start_positions"], inputs["end_positions"] = torch.tensor(targets).T
    else:
        model = BertForMultipleChoice(config)
        inputs = {name: rows.view(len(examples), -1, rows.shape[1]) for name, rows in inputs.items()}
        inputs["labels"] = torch.tensor(targets)[:, 0]
    loaded = model.load_state_dict(load_file(case["weights"]), strict=False)
    # Only the one that reads first tokens has a pooler.
    assert not loaded.missing_keys and all(".pooler." in name for name in loaded.unexpected_keys), loaded
    loss = model.eval()(**inputs).loss
    loss.backward()
    gradients = load_file(case["gradients"])
    own = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert set(own) == set(gradients), set(own) ^ set(gradients)
    largest = max(gradient.abs().max().item() for gradient in own.values())
    differences[kind] = abs(loss.item() - case["loss"]) / max(1, loss.item())
    differences[kind + " gradient"] = max((own[n] - gradients[n]).abs().max().item() for n in own) / largest
    assert differences[kind] == differences[kind] and largest > 0
print(json.dumps(differences))
