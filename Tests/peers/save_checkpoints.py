"""Saves the tensors of safetensors files as torch.save does. Three arguments for each: the file; the one to write; and
zip, which is today's format, or legacy, that before PyTorch 1.6."""

import collections
import sys

import torch
from safetensors.torch import load_file

jobs = sys.argv[1:]
while jobs:
    source, target, format = jobs[:3]
    tensors = collections.OrderedDict(load_file(source))
    torch.save(tensors, target, _use_new_zipfile_serialization=format == "zip")
    jobs = jobs[3:]
