"""Makes tokenizers, with added tokens and without, and what the packages give for texts of strange characters.

    token_cases.py FOLDER

FOLDER gets a folder a tokenizer, and cases.json: for each folder texts, lists of words, and cut texts, with the tokens
of each. Offsets are in characters, as the packages give them.
"""
import json
import random
import sys
from pathlib import Path
from types import SimpleNamespace

from tokenizers import AddedToken, BertWordPieceTokenizer, Tokenizer, normalizers, processors
from transformers import BertTokenizer
from transformers import logging
from transformers.tokenization_python import PythonBackend

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


# Characters of all that normalisation does, and what is long.
STRANGE = PIECES + [
    # Letters that become others, or several.
    "한", "각", "가", "\ud7a3", "ﬁ", "ﬃ", "Å", "\u212b", "ǅ", "Ω", "\u2126", "ﬀ", "½", "²", "ệ", "e\u0323\u0302", "ά", "ᾷ", "ö",
    "n\u0303", "क़", "ো", "ෝ", "ೋ", "≠", "\u1fef", "\u037e", "\u0387", "\u1fed",
    # Marks that stay, of classes 7 to 226, alone and in characters that decompose to them.
    "\u302e", "\u302f", "\u1b44", "\ua953", "\U00011446", "\U0001d165", "\U0001d16d", "\U0001d16e", "\U0001d15f", "\U0001d160",
    "\U0001d1bf", "\u1b06", "\U0001e000", "\U0001e944",
    # Accents of many classes, some that decompose to two, and marks of class 0.
    "\u0327", "\u0345", "\u0344", "\u0340", "\u0f73", "\u0f75", "\u0f81", "\u0f71", "\u0f80", "\u3099", "\u05b0", "\u0e38", "\u093c", "\u1dc0",
    "\u0902", "\u0e31", "\u0f76", "\u0301" * 4, "\u0301\u302e\u0323\u1b44", "\u0301\U0001d165\u0327", "\u093f", "\u20dd",
    # What cleaning takes away, and white space.
    "\0", "\a", "\x7f", "\x85", "\xad", "\u200b", "\ufeff", "\ufffd", "\ue000", "\U000e0020", "\t", "\n", "\r\n", "\x0b", "\x0c",
    "\u2028", "\u2003", "\u1680",
    # Chinese characters, emoji, punctuation, digits.
    "\u3400", "𠀀", "\uf900", "\ufa0e", "\U0002f800", "ア", "ガ", "😀", "👩\u200d🚀", "🇳🇴", "\ufe0f", "«", "—", "…", "$", "٣", "-",
    "[UNK]", "[PAD]", "[cls]", "[MASK", "CLS]", "[[SEP]]", "##", "a" * 98, "é" * 99, "한" * 33, "a\u0301" * 100, "a\u302e\u0301" * 49,
]


def strange_text(generator):
    kinds = generator.sample(STRANGE, generator.choice((2, 5, len(STRANGE))))
    return "".join(generator.choice(kinds) for _ in range(generator.randrange(0, 16)))


def strange_folder(folder, lowercase):
    """A vocabulary of the characters that the texts come to, less some, for words that become unknown."""
    normalize = normalizers.BertNormalizer(lowercase=lowercase).normalize_str
    characters = sorted(set("".join(normalize(piece) for piece in STRANGE)) - {" "})
    kept = [c for i, c in enumerate(characters) if i % 25 != 7]
    tokens = VOCABULARY[:5] + kept + ["##" + c for c in kept] + ["aa", "##aa", "aéa", "##\u302e\u1b44"]
    (folder / "vocab.txt").write_text("".join(token + "\n" for token in tokens), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowercase}))
    return BertTokenizer.from_pretrained(str(folder))


def row(encoding):
    """What lies between [CLS] and [SEP]."""
    return {"ids": encoding.ids[1:-1], "offsets": [place for pair in encoding.offsets[1:-1] for place in pair],
            "words": encoding.word_ids[1:-1]}


def cut(tokenizer, generator, side):
    """A text or a pair, cut as the packages cut: pairs as the tokenizers written in Python do."""
    first, second = strange_text(generator), generator.choice((None, strange_text(generator)))
    length = generator.randrange(3, 20)
    tokenizer.truncation_side = side
    if second is None:
        ids = tokenizer(first, truncation=True, max_length=length)["input_ids"]
    else:
        parts = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (first, second)]
        excess = len(parts[0]) + len(parts[1]) + 3 - length
        a, b, _ = PythonBackend.truncate_sequences(SimpleNamespace(truncation_side=side), *parts, excess)
        ids = [2, *a, 3, *(b or []), 3]
    return {"first": first, "second": second, "length": length, "side": side, "ids": ids}


def main():
    logging.set_verbosity_error()
    out = Path(sys.argv[1])
    generator = random.Random(5)
    cases = []
    for number in range(len(LISTED) + 62):
        folder = out / f"{number}"
        folder.mkdir()
        case = {"folder": folder.name, "words": [], "cut": []}
        if number >= len(LISTED) + 60:
            tokenizer = strange_folder(folder, number % 2 == 0)
            case["texts"] = [strange_text(generator) for _ in range(2500)]
            case["words"] = [[strange_text(generator) for _ in range(generator.randrange(6))] for _ in range(200)]
            case["cut"] = [cut(tokenizer, generator, side) for side in ("left", "right") for _ in range(200)]
            encode = tokenizer.backend_tokenizer.encode
            tokenizer.backend_tokenizer.no_truncation()
            rows = [tokenizer(text, return_offsets_mapping=True) for text in case["texts"][:100]]
            for found in rows:
                assert found.encodings[0].offsets == found["offset_mapping"]
        else:
            case["texts"] = [text(generator) for _ in range(60)]
            case["words"] = [[text(generator) for _ in range(generator.randrange(6))] for _ in range(3)]
            if number < len(LISTED):
                encode = LISTED[number](folder).backend_tokenizer.encode
            else:
                encode = whole(folder, generator, number % 3 > 0).encode
        case["text_rows"] = [row(encode(text)) for text in case["texts"]]
        case["word_rows"] = [row(encode(words, is_pretokenized=True)) for words in case["words"]]
        cases.append(case)
    (out / "cases.json").write_text(json.dumps(cases), encoding="utf-8")


main()
