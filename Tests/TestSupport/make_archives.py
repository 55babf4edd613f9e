"""Makes archives for the tests.

    make_archives.py glue TREE WEB   what GLUE's publishers serve, of the folders of a GLUE tree that are there
    make_archives.py odd FOLDER      archives that no one should unpack
"""

import os
import shutil
import struct
import sys
import zipfile

ARCHIVES = {
    "CoLA": "CoLA.zip", "MNLI": "MNLI.zip", "RTE": "RTE.zip", "WNLI": "WNLI.zip", "QQP": "QQP-clean.zip",
    "STS-B": "STS-B.zip", "SST-2": "SST-2.zip", "QNLI": "QNLIv2.zip",
}


def publish(tree, web):
    glue, senteval = os.path.join(web, "glue/data"), os.path.join(web, "senteval/senteval_data")
    for folder in (glue, senteval):
        os.makedirs(folder, exist_ok=True)
    for name, archive in ARCHIVES.items():
        folder = os.path.join(tree, name)
        if not os.path.isdir(folder):
            continue
        with zipfile.ZipFile(os.path.join(glue, archive), "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(zipfile.ZipInfo(name + "/"), "")
            # What a Mac's archiver leaves.
            file.writestr("__MACOSX/" + name + "/._train.tsv", b"\0")
            file.writestr(name + "/.DS_Store", b"\0")
            for place, _, entries in sorted(os.walk(folder)):
                for entry in sorted(entries):
                    path = os.path.join(place, entry)
                    method = zipfile.ZIP_STORED if entry == "dev.tsv" else zipfile.ZIP_DEFLATED
                    file.write(path, os.path.relpath(path, tree), method)
    mrpc = os.path.join(tree, "MRPC")
    if os.path.isdir(mrpc):
        shutil.copy(os.path.join(mrpc, "msr_paraphrase_train.txt"), senteval)
        shutil.copy(os.path.join(mrpc, "msr_paraphrase_test.txt"), senteval)
        shutil.copy(os.path.join(mrpc, "dev_ids.tsv"), os.path.join(glue, "mrpc_dev_ids.tsv"))
    diagnostic = os.path.join(tree, "diagnostic/diagnostic.tsv")
    if os.path.isfile(diagnostic):
        shutil.copy(diagnostic, os.path.join(glue, "AX.tsv"))


class Unseekable:
    """Makes zipfile write a member's sizes behind it, as it can't go back to its header."""

    def __init__(self, file):
        self.file = file

    def write(self, data):
        return self.file.write(data)

    def flush(self):
        self.file.flush()


def make_odd(folder):
    os.makedirs(folder, exist_ok=True)
    text = b"".join(b"line %d of a text\n" % number for number in range(20_000))

    def archive(name, members, method=zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(os.path.join(folder, name), "w", method) as file:
            for path, content in members:
                file.writestr(path, content)

    archive("plain.zip", [("CoLA/a.txt", text), ("CoLA/b/empty.txt", b""), ("CoLA/b/", b"")])
    with open(os.path.join(folder, "streamed.zip"), "wb") as raw:
        with zipfile.ZipFile(Unseekable(raw), "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("CoLA/a.txt", text)
    with zipfile.ZipFile(os.path.join(folder, "zip64.zip"), "w", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo("CoLA/a.txt")
        info.compress_type = zipfile.ZIP_DEFLATED
        with file.open(info, "w", force_zip64=True) as member:
            member.write(text)
    for index, path in enumerate(
        ["../evil", "/etc/evil", "CoLA/../../evil", "a//b", "CoLA\\..\\evil", "C:evil", "CoLA/./x", "a\nb",
         # A slash with a combining mark after it: one character to some, and to the system a slash and a name.
         "CoLA/../\u0338evil", "CoLA/\u200d/../evil", "/\u0338evil", "CoLA/..\u0338/../\u0301evil"]
    ):
        with zipfile.ZipFile(os.path.join(folder, f"path{index}.zip"), "w") as file:
            info = zipfile.ZipInfo("x")
            info.filename = path
            file.writestr(info, b"evil")
    for writer in (3, 19):  # Unix, a Mac
        with zipfile.ZipFile(os.path.join(folder, f"link{writer}.zip"), "w") as file:
            info = zipfile.ZipInfo("CoLA/link")
            info.create_system = writer
            info.external_attr = 0o120777 << 16
            file.writestr(info, b"/etc/passwd")
    archive("case.zip", [("CoLA/a.txt", text), ("CoLA/A.txt", b"other")])
    # A name that begins with a combining mark is one like others.
    archive("mark.zip", [("CoLA/a.txt", text), ("CoLA/\u0338b", b"")])
    archive("bomb.zip", [("CoLA/bomb", b"\0" * (50 << 20))])
    archive("lzma.zip", [("CoLA/a.txt", text)], zipfile.ZIP_LZMA)

    plain = open(os.path.join(folder, "plain.zip"), "rb").read()
    start = plain.index(b"PK\x01\x02")

    def variant(name, offset, value):
        changed = bytearray(plain)
        changed[start + offset : start + offset + len(value)] = value
        with open(os.path.join(folder, name), "wb") as file:
            file.write(changed)

    variant("checksum.zip", 16, b"\1\2\3\4")
    variant("encrypted.zip", 8, b"\1\0")
    # The directory says less, or more, than there is.
    variant("more.zip", 24, struct.pack("<I", len(text) - 1))
    variant("less.zip", 24, struct.pack("<I", len(text) + 1))
    # The second member's bytes are the first's.
    second = plain.index(b"PK\x01\x02", start + 4)
    overlapping = bytearray(plain)
    overlapping[second + 42 : second + 46] = plain[start + 42 : start + 46]
    overlapping[second + 20 : second + 28] = plain[start + 20 : start + 28]
    with open(os.path.join(folder, "overlap.zip"), "wb") as file:
        file.write(overlapping)


if __name__ == "__main__":
    {"glue": publish, "odd": make_odd}[sys.argv[1]](*sys.argv[2:])
