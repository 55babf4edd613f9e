#!/usr/bin/env python3
"""Builds the library modules' documentation with the toolchain's own DocC, from modules that have been built.

    docs.py BUILD_FOLDER OUTPUT_FOLDER

BUILD_FOLDER is such as .build/release. The output is one documentation archive, which any web server can serve. A
warning is an error.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
MODULES = ("Files", "Downloads", "Torch", "Tokenization", "Tasks", "CAMTL", "Training")


def tool(name: str) -> str:
    """A tool of the toolchain that `swift` belongs to."""
    swift = shutil.which("swift")
    if swift is None:
        sys.exit("camtl: swift is missing: install Swift 6.1 or newer and put it in PATH.")
    path = Path(swift).resolve().parent / name
    if not path.exists():
        sys.exit(f"camtl: {path} is missing: install a whole Swift toolchain.")
    return str(path)


def run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}camtl: {Path(command[0]).name} failed for the documentation.")


def target() -> str:
    done = subprocess.run(
        [tool("swift"), "-print-target-info"], stdout=subprocess.PIPE, universal_newlines=True, check=True)
    return json.loads(done.stdout)["target"]["triple"]


def build(built: Path, output: Path) -> None:
    triple = target()
    shutil.rmtree(output, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        archives = []
        for module in MODULES:
            symbols = Path(scratch, module)
            symbols.mkdir()
            run(tool("swift-symbolgraph-extract"), "-module-name", module, "-target", triple, "-sdk", "/",
                "-I", str(built / "Modules"), "-Xcc", f"-fmodule-map-file={built}/CTorch.build/module.modulemap",
                "-Xcc", f"-fmodule-map-file={PROJECT}/Sources/CZlib/module.modulemap",
                "-minimum-access-level", "public", "-skip-synthesized-members", "-output-dir", str(symbols))
            archive = Path(scratch, f"{module}.doccarchive")
            run(tool("docc"), "convert", str(PROJECT / f"Sources/{module}/{module}.docc"),
                "--additional-symbol-graph-dir", str(symbols), "--output-path", str(archive),
                "--fallback-display-name", module, "--fallback-bundle-identifier", f"camtl.{module}",
                "--warnings-as-errors")
            archives.append(str(archive))
        output.parent.mkdir(parents=True, exist_ok=True)
        run(tool("docc"), "merge", *archives, "--output-path", str(output), "--synthesized-landing-page-name", "camtl")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    build(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
    print(f"the documentation is in {sys.argv[2]}")
