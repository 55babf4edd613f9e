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
MODULES = ("Files", "Downloads", "Torch", "Tokenization", "Tasks", "CAMTL", "Training", "Reporting")


def tool(name: str) -> str:
    """A tool of the toolchain that `swift` belongs to."""
    swift = shutil.which("swift")
    if swift is None:
        sys.exit("camtl: swift is missing: install Swift 6.1 or newer and put it in PATH.")
    path = Path(swift).resolve().parent / name
    if not path.exists():
        sys.exit(f"camtl: {path} is missing: install a whole Swift toolchain.")
    return str(path)


def run(*command: str) -> bool:
    """Runs a tool, and shows what it says if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode != 0:
        print(f"{done.stdout}camtl: {Path(command[0]).name} failed for the documentation.", file=sys.stderr)
    return done.returncode == 0


def target() -> str:
    done = subprocess.run(
        [tool("swift"), "-print-target-info"], stdout=subprocess.PIPE, universal_newlines=True, check=True)
    return json.loads(done.stdout)["target"]["triple"]


def convert(module: str, triple: str, built: Path, scratch: Path, archive: Path) -> bool:
    symbols = scratch / module
    symbols.mkdir()
    return run(
        tool("swift-symbolgraph-extract"), "-module-name", module, "-target", triple, "-sdk", "/",
        "-I", str(built / "Modules"), "-Xcc", f"-fmodule-map-file={PROJECT}/Sources/CTorch/include/module.modulemap",
        "-Xcc", f"-fmodule-map-file={PROJECT}/Sources/CZlib/module.modulemap",
        "-minimum-access-level", "public", "-skip-synthesized-members", "-output-dir", str(symbols)
    ) and run(
        tool("docc"), "convert", str(PROJECT / f"Sources/{module}/{module}.docc"),
        "--additional-symbol-graph-dir", str(symbols), "--output-path", str(archive),
        "--fallback-display-name", module, "--fallback-bundle-identifier", f"camtl.{module}", "--warnings-as-errors")


def build(built: Path, output: Path) -> bool:
    """Builds every module's archive, so that all that is wrong is shown at once, and puts them together."""
    # Only an earlier archive is replaced.
    if output.exists() and not (output / "metadata.json").is_file():
        sys.exit(f"{output}: what is there is no documentation archive, and would be replaced; name another output")
    triple = target()
    shutil.rmtree(output, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        archives = [scratch / f"{module}.doccarchive" for module in MODULES]
        done = [convert(module, triple, built, scratch, archive) for module, archive in zip(MODULES, archives)]
        output.parent.mkdir(parents=True, exist_ok=True)
        return all(done) and run(
            tool("docc"), "merge", *map(str, archives), "--output-path", str(output),
            "--synthesized-landing-page-name", "camtl")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if not build(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()):
        sys.exit(1)
    print(f"the documentation is in {sys.argv[2]}")
