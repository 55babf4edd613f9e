"""Opens every *.safetensors below FOLDER with the safetensors package, reads each tensor, and prints how many there
are in each file, by its path in the folder."""

import json
import pathlib
import sys

from safetensors import safe_open

folder = pathlib.Path(sys.argv[1])
found = {}
for path in sorted(folder.rglob("*.safetensors")):
    with safe_open(path, framework="pt") as file:
        if path.name == "model.safetensors":
            assert file.metadata() == {"format": "pt"}, (path, file.metadata())
        tensors = [file.get_tensor(name) for name in file.keys()]
        assert all(tensor.isfinite().all() for tensor in tensors if tensor.is_floating_point()), path
        found[str(path.relative_to(folder))] = len(tensors)
print(json.dumps(found))
