#!/usr/bin/env python3
"""Times the `tokenizers` package on one thread, on the texts that `camtl bench --write_texts` wrote.

The tokenizer is the model's own, cut to the same length, without padding; `encode_batch` and, which is faster and has
no offsets, `encode_batch_fast`. Writes one JSON object.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

# Before the package is loaded, which reads them.
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import measuring

from tokenizers import BertWordPieceTokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder with vocab.txt")
    parser.add_argument("--cased", action="store_true", help="the vocabulary is cased")
    parser.add_argument("--texts", required=True, type=Path, help="what camtl bench --write_texts wrote")
    parser.add_argument("--max_length", type=int, required=True)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--json", required=True, type=Path, help="where the figures go")
    options = parser.parse_args()

    tokenizer = BertWordPieceTokenizer(str(Path(options.model, "vocab.txt")), lowercase=not options.cased)
    tokenizer.enable_truncation(options.max_length)
    rows = [
        row["sentence"] if "sentence" in row else (row["sentence1"], row["sentence2"])
        for row in measuring.read_rows(options.texts)
    ]
    seconds = {}
    for name in ("encode_batch", "encode_batch_fast"):
        encode = getattr(tokenizer._tokenizer, name)
        for _ in range(options.passes):
            start = measuring.now()
            tokens = 0
            # In pieces, as whoever encodes a large file does.
            for first in range(0, len(rows), 1000):
                encodings = encode(rows[first:first + 1000])
                tokens += sum(map(len, encodings))
            seconds.setdefault(name, []).append(measuring.now() - start)
    parts = [text for row in rows for text in ([row] if isinstance(row, str) else row)]
    measuring.write(options.json, {
        "seconds": seconds, "rows": len(rows), "tokens": tokens,
        "bytes": sum(len(text.encode()) for text in parts)})


if __name__ == "__main__":
    main()
