"""Prints what transformers computes with folders of BERT with a decoder. JOBS is a JSON file: for each folder the name of
its class, rows and, if it is to be saved again, the folder for that. A row is {"sequences": [[id, ...], ...], "types": ...}, {"words": [...]},
{"question": ..., "context": ...} or {"text": ..., "choices": [...]}."""

import json
import sys

import torch
import transformers
from transformers import AutoTokenizer, pipeline
from transformers.pipelines import PIPELINE_REGISTRY

AUTO = {
    "BertForSequenceClassification": transformers.AutoModelForSequenceClassification,
    "BertForTokenClassification": transformers.AutoModelForTokenClassification,
    "BertForQuestionAnswering": transformers.AutoModelForQuestionAnswering,
    "BertForMultipleChoice": transformers.AutoModelForMultipleChoice,
}


def inputs(tokenizer, row):
    if "words" in row:
        return tokenizer(row["words"], is_split_into_words=True, return_tensors="pt")
    if "question" in row:
        return tokenizer(row["question"], row["context"], return_tensors="pt", return_offsets_mapping=True)
    if "choices" in row:
        texts = [row["text"]] * len(row["choices"])
        return tokenizer(texts, row["choices"], padding=True, return_tensors="pt")
    longest = max(map(len, row["sequences"]))
    return {
        "input_ids": torch.tensor([ids + [0] * (longest - len(ids)) for ids in row["sequences"]]),
        "token_type_ids": torch.tensor([types + [0] * (longest - len(types)) for types in row["types"]]),
        "attention_mask": torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in row["sequences"]]),
    }


def logits(model, batch):
    batch = {name: values for name, values in batch.items() if name != "offset_mapping"}
    if type(model).__name__ == "BertForMultipleChoice":
        return model(**{name: values[None] for name, values in batch.items()}).logits[0][:, None]
    output = model(**batch)
    if type(model).__name__ == "BertForQuestionAnswering":
        return torch.stack([output.start_logits[0], output.end_logits[0]], dim=1)
    return output.logits[0].reshape(-1, model.config.num_labels)


def answer(row, batch, logits):
    """The part of the context with the highest sum of both logits, or none."""
    starts, ends = logits.double().T.tolist()
    offsets = batch["offset_mapping"][0].tolist()
    inside = [token for token, sequence in enumerate(batch.sequence_ids()) if sequence == 1]
    best = (starts[0] + ends[0], "")
    for start in inside:
        for end in inside:
            if start <= end < start + 30 and starts[start] + ends[end] > best[0]:
                best = (starts[start] + ends[end], row["context"][offsets[start][0] : offsets[end][1]])
    return best[1]


def tags(model, batch, logits):
    words = batch.word_ids()
    firsts = [token for token, word in enumerate(words) if word is not None and word not in words[:token]]
    return [model.config.id2label[logits[token].argmax().item()] for token in firsts]


def run(folder, name, rows, saved=None):
    model, loading = AUTO[name].from_pretrained(folder, output_loading_info=True)
    assert type(model).__name__ == name, type(model)
    assert not any(loading.values()), f"tensors are missing, unexpected or of another shape: {loading}"
    model.eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if saved:
        model.save_pretrained(saved)
        tokenizer.save_pretrained(saved)
    results = []
    tagger = pipeline("token-classification", model=folder, ignore_labels=[]) if "words" in rows[0] else None
    for row in rows:
        batch = inputs(tokenizer, row)
        found = logits(model, batch)
        result = {"logits": found.tolist()}
        if "words" in row:
            result["tags"] = tags(model, batch, found)
            result["pipeline"] = [entity["entity"] for entity in tagger(" ".join(row["words"]))]
        if "question" in row:
            result["answer"] = answer(row, batch, found)
            # Versions since 5 have none.
            if "question-answering" in PIPELINE_REGISTRY.get_supported_tasks():
                question, context = row["question"], row["context"]
                answering = pipeline("question-answering", model=folder)
                result["pipeline"] = [answering(question=question, context=context)["answer"]]
        results.append(result)
    return results


with open(sys.argv[1]) as file, torch.no_grad():
    print(json.dumps([run(job["folder"], job["class"], job["rows"], job.get("saved")) for job in json.load(file)]))
