#!/usr/bin/env python3
"""Compares `camtl tokenize` with the PyPI package `tokenizers`, and makes the fixture of the tokenizer's tests.

    pip install tokenizers==0.23.3
    python3 Scripts/compare_tokenizers.py compare .build/release/camtl --shared ../shared
    python3 Scripts/compare_tokenizers.py fixture Tests/TokenizationTests/Fixtures/random_strings.json

`compare` encodes, cased and uncased, every text column of every GLUE file (texts alone and in pairs) and random
strings, and ends with status 1 on any difference of ids, token types or tokens. The random strings are also encoded
with a vocabulary that has every character as a token: with BERT's, most strange words are unknown, whatever became of
their characters.

The program is run as `PROGRAM tokenize --model_name_or_path FOLDER`; it reads a text a line, of a pair both texts with
a tab between them, and writes a line of JSON with `input_ids`, `token_type_ids` and `tokens`. So line feeds, tabs and
carriage returns are left to the fixture.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

import tokenizers
from tokenizers.implementations import BertWordPieceTokenizer

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXT_COLUMNS = {"sentence", "sentence1", "sentence2", "question", "question1", "question2", "#1 String", "#2 String"}
WHITE_SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


def scalars(*ranges):
    return [chr(c) for first, last in ranges for c in range(first, last + 1) if not 0xD800 <= c <= 0xDFFF]


class RandomStrings:
    """Strings that mix a few kinds of characters each."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        everything = scalars((0, 0x10FFFF))
        of_category = {}
        for character in everything:
            of_category.setdefault(unicodedata.category(character), []).append(character)
        ascii_letters = scalars((0x41, 0x5A), (0x61, 0x7A))
        self.kinds = [
            everything,
            scalars((0, 0xFFFF)),
            scalars((0x10000, 0x1FFFF)),
            scalars((0, 0x7F)),
            ascii_letters,
            ascii_letters + list(" .,;'-0123456789"),
            scalars((0x80, 0x24F), (0x1E00, 0x1FFF)),
            scalars((0x370, 0x52F), (0x531, 0x58F), (0x10A0, 0x10FF), (0x13A0, 0x13FF)),
            scalars((0x900, 0xDFF), (0xF00, 0xFFF), (0x1B00, 0x1B7F), (0x11100, 0x114FF)),
            scalars((0x1D15E, 0x1D172), (0x1D1B9, 0x1D1C0), (0x302A, 0x302F), (0x1E000, 0x1E02A), (0x1E944, 0x1E94A)),
            of_category["Mn"] + of_category["Mc"] + of_category["Me"],
            scalars((0x300, 0x36F)),
            of_category["Cc"] + of_category["Cf"],
            of_category["Co"],
            of_category["Cn"],
            list(WHITE_SPACE),
            [c for k in ("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So") for c in of_category[k]],
            scalars((0x1100, 0x11FF), (0xA960, 0xA97F), (0xAC00, 0xD7FF)),
            scalars((0x2E80, 0x30FF), (0x3400, 0x3500), (0x4E00, 0x4FFF), (0xF900, 0xFAFF)),
            scalars((0x20000, 0x2FFFF)),
            scalars((0x1F300, 0x1FAFF), (0x1F1E6, 0x1F1FF)) + ["\u200d", "\ufe0f"],
            SPECIAL_TOKENS + ["[sep]", "[MASK", "CLS]", "[", "]", "##", "[ SEP ]", "[[UNK]]", "[unused1]"],
        ]

    def string(self, longest):
        kinds = self.random.sample(self.kinds, self.random.choice((1, 1, 2, 3, 4)))
        length = self.random.randint(0, longest)
        if self.random.random() < 0.02:
            length = self.random.randint(95, 110)
            kinds = [k for k in kinds if len(k) > 200] or [self.kinds[4]]
        return "".join(self.random.choice(self.random.choice(kinds)) for _ in range(length))


# Comparison ----------------------------------------------------------------------------------------------------------


def text_columns(file):
    """The rows of a GLUE file, each a list of one or two texts."""
    lines = file.read_text(encoding="utf-8-sig").split("\n")
    header = [name.strip() for name in lines[0].split("\t")]
    columns = [i for i, name in enumerate(header) if name in TEXT_COLUMNS]
    if columns:
        lines = lines[1:]
    else:
        columns = [len(header) - 1]
    rows = [line.rstrip("\r").split("\t") for line in lines if line]
    return [[row[i] for i in columns] for row in rows if len(row) > columns[-1]]


def glue_rows(folder):
    files = sorted(folder.glob("*/*.tsv")) + sorted(folder.glob("*/msr_*.txt"))
    rows = [row for file in files if file.name != "dev_ids.tsv" for row in text_columns(file)]
    singles = [[text] for row in rows for text in row]
    return singles + [row for row in rows if len(row) == 2]


def random_rows(count):
    strings = RandomStrings(seed=20210503)
    rows = []
    while len(rows) < count:
        text = "".join(" " if c in "\t\n\r" else c for c in strings.string(longest=40))
        if rows and len(rows) % 10 == 0:
            rows.append([rows[-1][0], text])
        else:
            rows.append([text])
    return rows


def write_model(folder, vocabulary, lowercase):
    folder.mkdir()
    (folder / "vocab.txt").write_bytes(vocabulary)
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowercase}))
    return folder


def every_character():
    """A vocabulary with each character that is neither removed nor white space, as a token and as a continuation."""
    clean = tokenizers.normalizers.BertNormalizer(strip_accents=False, lowercase=False).normalize_str
    characters = [c for c in scalars((0, 0x10FFFF)) if clean(c).strip()]
    return "\n".join(SPECIAL_TOKENS + characters + ["##" + c for c in characters] + [""]).encode()


def compare(program, folder, rows, shown=5):
    """The number of rows that program and package encode differently; prints the first `shown`."""
    lowercase = json.loads((folder / "tokenizer_config.json").read_text())["do_lower_case"]
    package = BertWordPieceTokenizer.from_file(str(folder / "vocab.txt"), lowercase=lowercase)
    differences = 0
    with tempfile.TemporaryFile() as texts, tempfile.TemporaryFile() as output:
        texts.writelines("\t".join(row).encode() + b"\n" for row in rows)
        texts.seek(0)
        command = [program, "tokenize", "--model_name_or_path", str(folder)]
        subprocess.run(command, stdin=texts, stdout=output, check=True)
        output.seek(0)
        for row in rows:
            line = output.readline()
            if not line:
                sys.exit(f"{program} wrote fewer lines than the {len(rows)} it read")
            ours = json.loads(line)
            theirs = package.encode(*row)
            expected = {"input_ids": theirs.ids, "token_type_ids": theirs.type_ids, "tokens": theirs.tokens}
            if ours != expected:
                differences += 1
                if differences <= shown:
                    print(f"{ascii(row)}\n  package {ascii(expected)}\n  program {ascii(ours)}")
        if output.readline():
            sys.exit(f"{program} wrote more lines than the {len(rows)} it read")
    return differences


def run_comparison(options):
    vocabularies = options.shared / "data" / "vocab"
    uncased = (vocabularies / "bert-base-uncased-vocab.txt").read_bytes()
    cased = (vocabularies / "bert-base-cased-vocab.txt").read_bytes()
    sources = [("random strings", random_rows(options.random))]
    if not options.only_random:
        sources.insert(0, ("GLUE", glue_rows(options.shared / "data" / "glue_data")))
    total = 0
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        models = [
            ("bert-base-uncased", write_model(root / "uncased", uncased, True)),
            ("bert-base-cased", write_model(root / "cased", cased, False)),
            ("every character, uncased", write_model(root / "characters-uncased", every_character(), True)),
            ("every character, cased", write_model(root / "characters-cased", every_character(), False)),
        ]
        for name, folder in models:
            for source, rows in sources:
                differences = compare(options.program, folder, rows)
                total += differences
                pairs = sum(len(row) == 2 for row in rows)
                print(f"{name}, {source}: {len(rows) - pairs} texts and {pairs} pairs, {differences} differences")
    print(f"tokenizers {tokenizers.__version__}: {total} differences")
    return 1 if total else 0


# Fixture -------------------------------------------------------------------------------------------------------------


def truncate(first, second, room):
    """Longest first, one token at a time, from the second on a tie: BERT's original tokenizer."""
    first, second = list(first), list(second)
    while len(first) + len(second) > room and (first or second):
        (first if len(first) > len(second) else second).pop()
    return first, second


def fixture_vocabulary(texts):
    """Special tokens, invented syllables, and the characters that the texts come to be made of."""
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    words = [a + b for a in syllables[::7] for b in syllables[3::11]]
    characters = set("abcdefghijklmnopqrstuvwxyz")
    for lowercase in (False, True):
        normalizer = tokenizers.normalizers.BertNormalizer(lowercase=lowercase)
        for text in texts:
            characters.update(normalizer.normalize_str(text))
    # Some characters are left out, for words that become unknown.
    kept = [c for i, c in enumerate(sorted(characters)) if not c.isspace() and i % 40 != 7]
    return SPECIAL_TOKENS + kept + ["##" + c for c in kept] + words + ["##" + s for s in syllables]


def fixture_texts(strings):
    """Strings over a small alphabet of all kinds, and invented words of syllables."""
    pick = strings.random
    strings.kinds = [kind if len(kind) < 60 else pick.sample(kind, 60) for kind in strings.kinds]
    texts = [strings.string(longest=14) for _ in range(1600)]
    consonants, vowels = "bdfgklmnprstvzBDF", "aeiouAEéÎø"
    for _ in range(400):
        words = ["".join(pick.choice(consonants) + pick.choice(vowels) for _ in range(pick.randint(1, 5)))
                 for _ in range(pick.randint(1, 9))]
        texts.append(pick.choice((" ", "  ", "\t", "\r\n", ", ", "-", "\u3000")).join(words))
    texts += ["ba" * 50, "ba" * 50 + "b", "e\u0301" * 100, "e\u0301" * 101, "\uac01" * 33, "\uac01" * 34]
    return texts


def write_fixture(options):
    strings = RandomStrings(seed=7)
    texts = fixture_texts(strings)
    vocabulary = fixture_vocabulary(texts)
    ids = {token: i for i, token in enumerate(vocabulary)}
    packages = [BertWordPieceTokenizer(ids, lowercase=lowercase) for lowercase in (False, True)]
    cases = []
    for i, text in enumerate(texts):
        pair = texts[(i * 31 + 5) % len(texts)] if i % 3 == 0 else None
        max_length = strings.random.choice((None, strings.random.randint(0, 24)))
        case = [text, pair, max_length]
        for package in packages:
            first = package.encode(text, add_special_tokens=False).ids
            second = [] if pair is None else package.encode(pair, add_special_tokens=False).ids
            special_count = 2 if pair is None else 3
            if max_length is not None:
                room = max(0, max_length - special_count)
                first, second = truncate(first, second, room) if pair is not None else (first[:room], [])
            encoded = [ids["[CLS]"], *first, ids["[SEP]"]]
            segment = [] if pair is None else [*second, ids["[SEP]"]]
            case += [encoded + segment, len(segment)]
        cases.append(case)
    with open(options.path, "w", encoding="ascii") as file:
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        tokens = json.dumps(vocabulary, separators=(",", ":"))
        package = f"tokenizers {tokenizers.__version__}"
        file.write(f'{{"package":"{package}",\n"vocabulary":{tokens},\n"cases":[\n{lines}\n]}}\n')
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    comparison = commands.add_parser("compare", help="compare a program with the package")
    comparison.add_argument("program", help="the program, run as PROGRAM tokenize --model_name_or_path FOLDER")
    comparison.add_argument("--shared", type=pathlib.Path, required=True, help="folder with data/glue_data, data/vocab")
    comparison.add_argument("--random", type=int, default=200_000, help="number of random strings (200000)")
    comparison.add_argument("--only-random", action="store_true", help="leave GLUE out")
    comparison.set_defaults(run=run_comparison)
    fixture = commands.add_parser("fixture", help="write the tests' fixture")
    fixture.add_argument("path", help="the file to write")
    fixture.set_defaults(run=write_fixture)
    options = parser.parse_args()
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
