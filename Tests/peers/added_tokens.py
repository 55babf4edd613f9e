"""Makes tokenizers with added tokens, and what the packages give for texts with them.

    added_tokens.py FOLDER

FOLDER gets a folder a tokenizer, and cases.json: for each folder texts, and the ids of each.
"""
import json
import random
import sys
from pathlib import Path

from tokenizers import AddedToken, BertWordPieceTokenizer, Tokenizer, processors
from transformers import BertTokenizer

VOCABULARY = (
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list("abcdentx<>[]_.,é北京@#") + ["##" + c for c in "abcdentx_é"]
    + ["Cat", "cat", "the", "ent", "ᄒ", "##ᅡ", "##ᆫ", "ß", "i"]
)
COUNT = len(VOCABULARY)
FLAGS = ["single_word", "lstrip", "rstrip", "normalized"]
CONTENTS = [
    "[ENT]", "<url>", "ent", "Cat", "é", "e\u0301", "北京", "@@", "@@@", "x_x", " x", "한", "Éa", "[MASK]", "[CLS]", "a.", "##a",
]
PIECES = CONTENTS + [
    "the", " ", "  ", "\t", "\u00a0", ".", "_", "CAT", "ENT", "[ent]", "<URL>", "<Url>", "a", "É", "北", "京", "\u0301", "\u0323",
    "\u0f71", "\u0f72", "\u0f74", "\u034f", "x", "\u200b", "Xx_X", "@", "7", "[SEP]", "İ", "ẞ", "\u3000", "豈", "\u1100", "\u200d",
]


def text(generator):
    return "".join(generator.choice(PIECES) for _ in range(generator.randrange(1, 14)))


def whole(folder, generator, lowercase):
    """A tokenizer.json with tokens of all properties."""
    tokenizer = BertWordPieceTokenizer({token: id for id, token in enumerate(VOCABULARY)}, lowercase=lowercase)
    for content in generator.sample(CONTENTS, generator.randrange(1, 6)):
        token = AddedToken(content, **{flag: generator.random() < 0.4 for flag in FLAGS})
        if generator.random() < 0.5:
            tokenizer.add_tokens([token])
        else:
            tokenizer.add_special_tokens([token])
    special = [("[CLS]", 2), ("[SEP]", 3)]
    if generator.random() < 0.5:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=special)
    tokenizer.save(str(folder / "tokenizer.json"))
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def listed(**files):
    """A folder of vocab.txt with these other files."""
    def make(folder):
        (folder / "vocab.txt").write_text("".join(token + "\n" for token in VOCABULARY), encoding="utf-8")
        for name, content in files.items():
            (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        return BertTokenizer.from_pretrained(str(folder))
    return make


def properties(content, **more):
    return {"content": content, "lstrip": False, "rstrip": False, "single_word": False, "normalized": False,
            "special": True} | more


ADDED = {"[ENT]": COUNT, "<url>": COUNT + 1}
CONFIGURATION = {"do_lower_case": True}
DECODER = {"added_tokens_decoder": {str(COUNT): properties("[ENT]"), str(COUNT + 1): properties("<url>", normalized=True)}}
LISTED = [
    listed(added_tokens=ADDED),
    listed(added_tokens=ADDED, tokenizer_config={"do_lower_case": False}),
    listed(added_tokens=dict(reversed(ADDED.items())), tokenizer_config=CONFIGURATION,
           special_tokens_map={"additional_special_tokens": list(ADDED), "cls_token": "[CLS]", "mask_token": "[MASK]"}),
    listed(added_tokens=ADDED, tokenizer_config=CONFIGURATION | {"additional_special_tokens": list(ADDED)}),
    listed(added_tokens={"cat": VOCABULARY.index("cat")}, tokenizer_config=CONFIGURATION),
    listed(special_tokens_map={"additional_special_tokens": ["[ENT]", "Cat"]}, tokenizer_config=CONFIGURATION),
    listed(tokenizer_config=CONFIGURATION | {"extra_special_tokens": ["<url>", "[ENT]"]}),
    listed(tokenizer_config=CONFIGURATION | {"bos_token": "<url>", "image_token": "[ENT]"}),
    listed(tokenizer_config=CONFIGURATION | DECODER, added_tokens=ADDED),
    listed(tokenizer_config=CONFIGURATION | {
        "added_tokens_decoder": {"4": properties("[MASK]", normalized=True, lstrip=True)}}),
    listed(tokenizer_config=CONFIGURATION | {"mask_token": None}),
    listed(special_tokens_map={"mask_token": properties("[MASK]", single_word=True), "unk_token": "[UNK]"}),
]


def main():
    out = Path(sys.argv[1])
    generator = random.Random(5)
    cases = []
    for number in range(len(LISTED) + 60):
        folder = out / f"{number}"
        folder.mkdir()
        texts = [text(generator) for _ in range(60)]
        if number < len(LISTED):
            tokenizer = LISTED[number](folder)
            ids = [tokenizer(text)["input_ids"] for text in texts]
        else:
            tokenizer = whole(folder, generator, number % 3 > 0)
            ids = [tokenizer.encode(text).ids for text in texts]
        cases.append({"folder": folder.name, "texts": texts, "ids": ids})
    (out / "cases.json").write_text(json.dumps(cases), encoding="utf-8")


main()
