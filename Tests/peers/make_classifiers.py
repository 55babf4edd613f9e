"""Makes folders of transformers' BertForSequenceClassification with random weights, from a BERT folder's configuration
and vocabulary. After it, three arguments for each: its folder; the names of its outputs, comma-separated, or their
number; and the format of its weights, safetensors or bin."""

import os
import sys

import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification


def make(encoder, folder, labels, format):
    if labels.isdigit():
        outputs = {"num_labels": int(labels)}
    else:
        names = labels.split(",")
        outputs = {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}
    torch.manual_seed(1)
    model = BertForSequenceClassification(BertConfig.from_pretrained(encoder, initializer_range=0.2, **outputs))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(encoder).save_pretrained(folder)
    if format == "bin":
        torch.save(model.state_dict(), f"{folder}/pytorch_model.bin")
        os.remove(f"{folder}/model.safetensors")


encoder, *jobs = sys.argv[1:]
while jobs:
    make(encoder, *jobs[:3])
    jobs = jobs[3:]
