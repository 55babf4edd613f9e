#!/usr/bin/env python3
"""Prints the path of a Python with the packages that the tests check camtl's files against, installing them first.

They are those of Tests/peers/requirements.txt, and the PyTorch of libtorch's version, in a virtual environment in the
cache of Scripts/setup.py: made once for each list and Python, then used without a network. Further lists may be named:

    python3 Scripts/peers.py [REQUIREMENTS.txt ...]

A problem is one sentence on standard error and exit status 1.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

sys.dont_write_bytecode = True
import artifacts  # noqa: E402  (they lie beside this file)
import setup  # noqa: E402

REQUIREMENTS = setup.PROJECT / "Tests/peers/requirements.txt"
OLDEST, NEWEST = (3, 11), (3, 14)
# On the disk, and of them to download, with PyTorch's CPU build; on the disk with its CUDA build.
MEGABYTES, DOWNLOAD_MEGABYTES, CUDA_MEGABYTES = 2000, 300, 12000


@dataclass(frozen=True)
class Python:
    """An interpreter that the requirements fit."""

    executable: str
    version: tuple[int, int]


def find_python() -> Python:
    """The Python that runs this, or another in PATH that the requirements fit."""
    minors = range(NEWEST[1], OLDEST[1] - 1, -1)
    for name in [sys.executable, "python3", *(f"python3.{minor}" for minor in minors)]:
        executable = shutil.which(name)
        version = executable and python_version(executable)
        if version and OLDEST <= version <= NEWEST:
            return Python(executable, version)
    raise setup.SetupError(
        f"the tests compare with Python packages, which need Python {dotted(OLDEST)} to {dotted(NEWEST)}, and "
        f"this is {dotted(sys.version_info[:2])}: install one of these and put it in PATH, with pip.")


def python_version(executable: str) -> Optional[tuple[int, int]]:
    # A name in PATH may be a version manager's, which has no such Python.
    asked = subprocess.run(
        [executable, "-c", "import sys; print(sys.implementation.name, *sys.version_info[:2])"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True)
    words = asked.stdout.split()
    if asked.returncode != 0 or len(words) != 3 or words[0] != "cpython":
        return None
    return int(words[1]), int(words[2])


def dotted(version) -> str:
    return ".".join(map(str, version))


def provide_peers(cache: Path, python: Python, *requirements: Path) -> Path:
    """The environment's interpreter, after making the environment if the cache lacks it."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in requirements) + artifacts.TORCH.encode()).hexdigest()
    folder = cache / f"peers-{digest[:12]}-python{dotted(python.version)}"
    setup.provide_folder(
        folder, "what the tests compare with", MEGABYTES, lambda: is_usable(folder),
        lambda partial, made: make_environment(made, python, requirements))
    return folder / "bin/python"


def is_usable(folder: Path) -> bool:
    """Whether the environment is whole, and the Python that it was made of still there."""
    return (folder / setup.STAMP).exists() and (folder / "bin/python").exists()


def make_environment(folder: Path, python: Python, requirements: tuple[Path, ...]) -> None:
    setup.check_pip(python.executable)
    # Without pip, so that Debian's Python needs no package more; its own pip installs into the environment.
    made = subprocess.run(
        [python.executable, "-m", "venv", "--without-pip", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if made.returncode != 0:
        raise setup.SetupError(
            f"{python.executable} makes no virtual environment ({setup.last_line(made.stdout)}): install its venv "
            "module (python3-venv on Debian and Ubuntu).")
    packages = folder / f"lib/python{dotted(python.version)}/site-packages"
    setup.announce_download(DOWNLOAD_MEGABYTES)
    try:
        pip_install(python, packages, f"--requirement={requirements[0]}")
        for further in requirements[1:]:
            # They name all that they need but PyTorch, of which pip would fetch another version for them.
            pip_install(python, packages, "--no-deps", f"--requirement={further}")
        install_torch(python, packages)
    except setup.Unavailable as reason:
        raise setup.SetupError(
            "the Python packages that the tests compare with could not be installed: connect to a network with a "
            f"Python package index (pip said: {reason}).") from None
    (folder / setup.STAMP).touch()


def install_torch(python: Python, packages: Path) -> None:
    """Installs PyTorch's CPU build where pip finds it, or else, ten times as large, the index's CUDA build."""
    try:
        cpu = f"torch=={artifacts.TORCH}+cpu"
        try:
            pip_install(python, packages, "--no-deps", cpu)
        except setup.Unavailable:
            pip_install(python, packages, "--no-deps", f"--extra-index-url={artifacts.PYTORCH_INDEX}", cpu)
    except setup.Unavailable:
        setup.check_space(
            packages, CUDA_MEGABYTES, "PyTorch for the tests, of which pip finds only the CUDA build,",
            "let pip find the CPU build, or set CAMTL_CACHE_DIR to a folder on a larger disk")
        pip_install(python, packages, f"torch==={artifacts.TORCH}")


def pip_install(python: Python, packages: Path, *arguments: str) -> None:
    pip = subprocess.run(
        [python.executable, "-m", "pip", "install", f"--target={packages}", "--only-binary=:all:", "--no-cache-dir",
         "--no-input", "--disable-pip-version-check", "--retries=1", "--timeout=15", *arguments],
        # Standard output is for the path alone; a person who waits sees pip's progress.
        stdout=sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL, stderr=subprocess.PIPE,
        universal_newlines=True,
        env={**os.environ, "TMPDIR": str(packages.parent), "PIP_REQUIRE_VIRTUALENV": "false"})
    if pip.returncode != 0:
        raise setup.Unavailable(setup.last_line(pip.stderr).replace("ERROR: ", "") or "nothing")


if __name__ == "__main__":
    try:
        print(provide_peers(setup.cache_folder(), find_python(), REQUIREMENTS, *map(Path, sys.argv[1:])))
    except setup.SetupError as problem:
        sys.exit(f"camtl: {problem}")
    except OSError as error:
        sys.exit(
            f"camtl: what the tests compare with can't be installed ({error}): make that place usable, or set "
            "CAMTL_CACHE_DIR to another.")
    except KeyboardInterrupt:
        sys.exit(130)
