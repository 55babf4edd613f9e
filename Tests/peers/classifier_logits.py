"""Prints the logits that transformers gives to texts. JOBS is a JSON file: for each classifier its folder and pairs of
texts, of which the second may be null."""

import json
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertForSequenceClassification


def classify(folder, texts):
    model, loading = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    assert type(model) is BertForSequenceClassification, type(model)
    assert not any(loading.values()), f"tensors are missing, unexpected or of another shape: {loading}"
    model.eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    logits = []
    for first, second in texts:
        inputs = tokenizer(first, second, truncation=True, return_tensors="pt")
        logits.append(model(**inputs).logits[0].tolist())
    return {
        "logits": logits,
        "labels": [model.config.id2label[index] for index in range(model.config.num_labels)],
        "problem": model.config.problem_type,
        "dtype": str(model.dtype),
        "length": tokenizer.model_max_length,
    }


with open(sys.argv[1]) as file, torch.no_grad():
    print(json.dumps([classify(job["folder"], job["texts"]) for job in json.load(file)]))
