#!/usr/bin/env python3
"""Writes Sources/Tokenization/UnicodeTables.swift from the behaviour of the PyPI package `tokenizers`.

    pip install tokenizers==0.23.3
    python3 Scripts/tokenizer_tables.py > Sources/Tokenization/UnicodeTables.swift

The package mixes Unicode versions (its categories, its decompositions and its lower case come from three
sources), so no Unicode version describes it: each table is what the package does with every code point, one
at a time. Before anything is printed, the rules by which CharacterTable.swift combines the tables are checked
against the whole uncased and cased normalisation of every code point.
"""

import sys

import tokenizers
from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL_SYLLABLES = range(0xAC00, 0xD7A4)
# Marks of the lowest and the highest canonical combining class: any other mark trades places with one of them.
LOWEST_MARK, HIGHEST_MARK = "\u0334", "\u0345"


def stage(**enabled):
    """The package's BERT normaliser with only the named steps."""
    steps = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    return BertNormalizer(**{**steps, **enabled}).normalize_str


clean = stage(clean_text=True)
set_apart = stage(handle_chinese_chars=True)
strip = stage(strip_accents=True)
lower = stage(lowercase=True)
uncased = stage(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True)
cased = stage(clean_text=True, handle_chinese_chars=True)
decompose = NFD().normalize_str
split = BertPreTokenizer().pre_tokenize_str


def is_combining(character):
    """Whether canonical ordering moves the character: its combining class is not 0."""
    return character in (LOWEST_MARK, HIGHEST_MARK) or (
        decompose(HIGHEST_MARK + character) != HIGHEST_MARK + character
        or decompose(character + LOWEST_MARK) != character + LOWEST_MARK
    )


class Tables:
    def __init__(self):
        cleaned = {c: clean(chr(c)) for c in CODE_POINTS}
        self.removed = [c for c in CODE_POINTS if cleaned[c] == ""]
        self.whitespace = [c for c in CODE_POINTS if cleaned[c] == " "]
        self.punctuation = [c for c in CODE_POINTS if len(split("a" + chr(c) + "a")) == 3]
        self.ideographs = [c for c in CODE_POINTS if set_apart(chr(c)) == f" {chr(c)} "]
        kept = [c for c in CODE_POINTS if cleaned[c] == chr(c) != " "]
        self.stripped_marks, self.stripped_starters = [], []
        self.mappings, self.decompositions = {}, {}
        ordered = []
        for c in kept:
            parts = decompose(chr(c))
            # A stripped mark leaves no trace, unless its class is 0: then no mark moves across its place.
            remaining = [p for p in parts if strip(p) != "" or not is_combining(p)]
            result = uncased(chr(c)).strip(" ")
            if result == "":
                (self.stripped_starters if remaining else self.stripped_marks).append(c)
            elif c in HANGUL_SYLLABLES:
                assert result == parts and len(parts) in (2, 3)
            elif len(remaining) > 1:
                self.decompositions[c] = [ord(lower(p)) for p in remaining]
            elif result != chr(c):
                self.mappings[c] = ord(result)
            elif is_combining(chr(c)):
                ordered.append(c)
        # The rank of a mark, in place of its class: how many of the others go before it.
        self.ordered_marks = {c: sum(decompose(chr(c) + chr(d)) == chr(d) + chr(c) for d in ordered) for c in ordered}
        self.check(kept)

    def check(self, kept):
        """Fails unless the tables, combined as CharacterTable.swift does, give what the package gives."""
        isolated, removed = set(self.punctuation) | set(self.ideographs), set(self.removed)
        whitespace, stripped = set(self.whitespace), set(self.stripped_marks)
        starters, ideographs = set(self.stripped_starters), set(self.ideographs)
        products = set(self.mappings.values()).union(*self.decompositions.values())
        for p in products:
            assert p not in removed | whitespace | stripped | set(self.mappings) | set(self.decompositions)
        for c in ideographs & set(self.mappings):
            assert self.mappings[c] in isolated, hex(c)
        for c, parts in self.decompositions.items():
            assert c not in isolated and isolated.isdisjoint(parts), hex(c)
        assert isolated.isdisjoint(self.ordered_marks) and isolated.isdisjoint(stripped | starters)
        for a in self.ordered_marks:
            for b in self.ordered_marks:
                moves = self.ordered_marks[b] < self.ordered_marks[a]
                assert decompose(chr(a) + chr(b)) == (chr(b) + chr(a) if moves else chr(a) + chr(b))
        for c in kept:
            space = " " if c in ideographs else ""
            parts = [] if c in stripped else self.decompositions.get(c, [self.mappings.get(c, c)])
            text = "".join(chr(p) for p in parts if p not in starters)
            if c in HANGUL_SYLLABLES:
                text = decompose(chr(c))
            assert uncased(chr(c)) == space + text + space, hex(c)
            assert cased(chr(c)) == space + chr(c) + space, hex(c)
            # The encoder sizes its buffers by this: a character of n bytes becomes at most n characters.
            assert len(text) <= len(chr(c).encode())


def ranges(code_points):
    """The ascending code points as a flat list: first, last, first, last, ..."""
    flat = []
    for c in code_points:
        if flat and flat[-1] == c - 1:
            flat[-1] = c
        else:
            flat += [c, c]
    return flat


def blocks(mappings):
    """Runs of neighbouring sources as a flat list: first, count, the `count` targets (a hole maps to itself)."""
    flat, longest_hole = [], 2
    sources = sorted(mappings)
    while sources:
        block = [sources.pop(0)]
        while sources and sources[0] - block[-1] <= longest_hole + 1:
            block.append(sources.pop(0))
        covered = range(block[0], block[-1] + 1)
        flat += [block[0], len(covered)] + [mappings.get(c, c) for c in covered]
    return flat


def triples(ranks):
    """first, last, rank of each run of neighbours of one rank."""
    flat = []
    for c, rank in sorted(ranks.items()):
        if flat and flat[-2] == c - 1 and flat[-1] == rank:
            flat[-2] = c
        else:
            flat += [c, c, rank]
    return flat


def array(name, comment, numbers):
    lines, line = [], ""
    for number in numbers:
        item = f"0x{number:X},"
        if len(line) + len(item) + 1 > 110:
            lines.append(line)
            line = ""
        line += (" " if line else "") + item
    lines.append(line)
    body = "\n".join("        " + text for text in lines)
    return f"    /// {comment}\n    static let {name}: [UInt32] = [\n{body}\n    ]\n"


def main():
    tables = Tables()
    flat_decompositions = []
    for c, parts in sorted(tables.decompositions.items()):
        flat_decompositions += [c, len(parts)] + parts
    members = [
        array("removed", "Dropped by cleaning: control, format and private-use characters. first, last.",
              ranges(tables.removed)),
        array("whitespace", "Replaced by a space in cleaning. first, last.", ranges(tables.whitespace)),
        array("punctuation", "Each a word of its own. first, last.", ranges(tables.punctuation)),
        array("ideographs", "Set apart by spaces as Chinese characters are. first, last.", ranges(tables.ideographs)),
        array("strippedMarks", "Removed as accents, canonical combining class not 0. first, last.",
              ranges(tables.stripped_marks)),
        array("strippedStarters", "Removed as accents, combining class 0. first, last.",
              ranges(tables.stripped_starters)),
        array("orderedMarks", "Marks that canonical ordering moves and stripping leaves. first, last, rank.",
              triples(tables.ordered_marks)),
        array("mappings", "Become one other character, stripped and in lower case. first, count, targets.",
              blocks(tables.mappings)),
        array("decompositions", "Become several characters. source, count, characters.", flat_decompositions),
    ]
    print("// Generated by Scripts/tokenizer_tables.py from the behaviour of the PyPI package tokenizers")
    print(f"// {tokenizers.__version__}; to change a table, run the script again.\n")
    print("/// What BERT's normalisation does with each code point; code points in no table are parts of words.")
    print("/// Everything after `ideographs` concerns the uncased path only.")
    print("enum UnicodeTables {")
    print("\n".join(members) + "}")


if __name__ == "__main__":
    sys.exit(main())
