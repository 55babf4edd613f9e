"""Makes the checkpoints that the tests read, and expected.json, with what PyTorch says is in them.

Run it in this folder: pip install torch==2.13.0 safetensors==0.8.0 numpy && python make_fixtures.py
The storage keys of the old format are addresses, so that those files differ from run to run in these.
"""

import collections
import io
import json
import os
import struct
import zipfile
import zlib

import numpy
import torch
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
EXPECTED = {}
RUN_MARK = "camtl-test-pickle-was-run"


def path(name):
    return os.path.join(HERE, name)


def expect(name, tensors):
    EXPECTED[name] = {
        "names": list(tensors),
        "tensors": {
            key: {
                "dtype": str(tensor.dtype).removeprefix("torch."),
                "shape": list(tensor.shape),
                "hex": bytes(tensor.detach().contiguous().flatten().view(torch.uint8).tolist()).hex(),
            }
            for key, tensor in tensors.items()
        },
    }


def save(name, content, tensors, **options):
    torch.save(content, path(name), **options)
    expect(name, tensors)


def every_dtype():
    values = [0.0, 1.0, -2.5, 3.25, 100.0, -0.5]
    tensors = {
        str(dtype).removeprefix("torch."): torch.tensor(values, dtype=torch.float64).reshape(2, 3).to(dtype)
        for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16)
    }
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8):
        tensors[str(dtype).removeprefix("torch.")] = torch.tensor([-128, -1, 0, 127]).to(dtype)
    tensors["uint8"] = torch.tensor([0, 1, 128, 255], dtype=torch.uint8)
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["scalar"] = torch.tensor(0.1)
    tensors["empty"] = torch.empty(0, 3)
    tensors['quote " backslash \\ tab \t é ☃'] = torch.tensor([7.0])
    return tensors


def views():
    base = torch.arange(24, dtype=torch.float32)
    return {
        "base": base,
        "reshaped": base.reshape(2, 3, 4),
        "permuted": base.reshape(2, 3, 4).permute(2, 0, 1),
        "transposed": base.reshape(4, 6).t(),
        "part": base[5:9],
        "columns": base.reshape(4, 6)[:, 1:5:2],
        "expanded": base[3:5].reshape(2, 1).expand(2, 3),
        "one_row": base[6:12].reshape(1, 6),
        "half": torch.arange(6).to(torch.float16).reshape(2, 3).t(),
        "wide": torch.arange(6, dtype=torch.int64).reshape(2, 3).t(),
        "narrow": torch.tensor([[True, False, True], [False, False, True]]).t(),
    }


def parameters():
    torch.manual_seed(1)
    module = torch.nn.Sequential(
        collections.OrderedDict(dense=torch.nn.Linear(3, 3), norm=torch.nn.BatchNorm1d(3), head=torch.nn.Linear(3, 3)))
    module.head.weight = module.dense.weight
    return module


class Call:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def store(name, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path(name), "w", compression) as archive:
        for member, content in members.items():
            archive.writestr(zipfile.ZipInfo(member), content, compression)


def members(name):
    with zipfile.ZipFile(path(name)) as archive:
        return {member: archive.read(member) for member in archive.namelist()}


def store_zip64(name, members):
    """Writes an archive as one beyond 4 GiB is written: every size and position is in a zip64 field."""
    content, directory = io.BytesIO(), io.BytesIO()
    for member, data in members.items():
        start, member = content.tell(), member.encode()
        common = struct.pack("<HHHHHI", 45, 0x0800, 0, 0, 0x21, zlib.crc32(data)) + b"\xff" * 8
        sizes = struct.pack("<QQ", len(data), len(data))
        content.write(b"PK\x03\x04" + common + struct.pack("<HH", len(member), 20) + member)
        content.write(struct.pack("<HH", 1, 16) + sizes + data)
        directory.write(b"PK\x01\x02\x2d\x03" + common + struct.pack("<HHHHHI", len(member), 28, 0, 0, 0, 0))
        directory.write(b"\xff" * 4 + member + struct.pack("<HH", 1, 24) + sizes + struct.pack("<Q", start))
    start, directory = content.tell(), directory.getvalue()
    record = start + len(directory)
    content.write(directory)
    content.write(b"PK\x06\x06" + struct.pack("<QHHII", 44, 45, 45, 0, 0))
    content.write(struct.pack("<QQQQ", len(members), len(members), len(directory), start))
    content.write(b"PK\x06\x07" + struct.pack("<IQI", 0, record, 1))
    content.write(b"PK\x05\x06" + b"\0\0\0\0" + b"\xff" * 12 + b"\0\0")
    with open(path(name), "wb") as file:
        file.write(content.getvalue())


def main():
    every, strided, module = every_dtype(), views(), parameters()
    state = module.state_dict()

    save_file(every, path("every_dtype.safetensors"), metadata={"format": "pt"})
    expect("every_dtype.safetensors", every)
    save_file({"weight": torch.ones(1)}, path("no_metadata.safetensors"))
    expect("no_metadata.safetensors", {"weight": torch.ones(1)})
    save_file({"weight": torch.ones(2, dtype=torch.float8_e5m2)}, path("float8.safetensors"))

    for suffix, options in (("zip.pt", {}), ("legacy.bin", {"_use_new_zipfile_serialization": False})):
        save(f"every_dtype.{suffix}", every, every, **options)
        save(f"views.{suffix}", strided, strided, **options)
        # With _metadata, a tied weight, a buffer and a count.
        save(f"state_dict.{suffix}", state, state, **options)
        save(f"parameters.{suffix}", dict(module.named_parameters()), dict(module.named_parameters()), **options)
        for protocol in (3, 4, 5):
            save(f"protocol{protocol}.{suffix}", state, state, pickle_protocol=protocol, **options)
        torch.save({"weight": torch.ones(2), "x": Call(os.system, f"touch {RUN_MARK}")},
                   path(f"system.{suffix}"), **options)

    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
    module(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    rest = {
        "epoch": 3, "loss": 0.5, "best": None, "done": False, "steps": 1 << 40, "below": -(1 << 20), "name": "a run",
        "shape": torch.Size([2, 3]), "dtype": torch.float16, "losses": [0.5, 0.25], "optimizer": optimizer.state_dict(),
    }
    state = module.state_dict()
    for key in ("state_dict", "model", "model_state_dict"):
        save(f"nested_{key}.pt", {**rest, key: state}, state)
    save("mixed.pt", {"epoch": 3, "weight": torch.ones(2), "model": state}, {"weight": torch.ones(2)})
    torch.save(rest, path("no_tensors.pt"))

    torch.save({"x": Call(eval, f"open('{RUN_MARK}', 'w')")}, path("eval.pt"), pickle_protocol=4)
    torch.save({"x": numpy.float64(1.5)}, path("numpy_scalar.pt"))
    torch.save(module.dense, path("module.pt"))
    torch.save({"x": torch.ones(1, dtype=torch.complex64)}, path("complex.pt"))
    torch.save([torch.ones(1)], path("list.pt"))
    torch.save({"x": torch.zeros(1).expand(1 << 40)}, path("endless.pt"))

    plain = members("state_dict.zip.pt")
    store_zip64("zip64.pt", plain)
    expect("zip64.pt", torch.load(path("zip64.pt")))
    store("deflated.pt", plain, zipfile.ZIP_DEFLATED)
    store("big_endian.pt", {m: b"big" if m.endswith("byteorder") else d for m, d in plain.items()})
    store("no_pickle.pt", {"archive/other": b"text"})
    store("missing_storage.pt", {m: d for m, d in plain.items() if not m.endswith("data/0")})

    for name in os.listdir(HERE):
        os.chmod(path(name), 0o644)
    with open(path("expected.json"), "w") as file:
        json.dump(EXPECTED, file, separators=(",", ":"), sort_keys=True)
        file.write("\n")


main()
