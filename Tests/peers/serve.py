"""Runs scripts one after the other, each in a process that is forked from this one, which keeps what they import: that
takes longer than most of them.

A line of standard input is a JSON object: the script's text, its file if it has one, its arguments, and the files for its
standard output and error. The answer is a line with its exit status, negative for a signal."""

import ast
import contextlib
import json
import os
import sys


def load_imports(script):
    """Imports what a script imports at its beginning; a module that isn't there is the script's to miss."""
    for node in ast.parse(script).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            with contextlib.suppress(ImportError):
                exec(compile(ast.Module([node], []), "imports", "exec"), {})


def next_script():
    """Gives back each script in a process of its own."""
    for line in sys.stdin:
        script = json.loads(line)
        load_imports(script["text"])
        child = os.fork()
        if child == 0:
            for descriptor, path in enumerate([os.devnull, *script["streams"]]):
                os.dup2(os.open(path, os.O_WRONLY if descriptor else os.O_RDONLY), descriptor)
            return script
        _, state = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(state), flush=True)
    sys.exit()


script = next_script()
name = script.get("file", "-c")
sys.argv = [name, *script["arguments"]]
exec(compile(script["text"], name, "exec"), {"__name__": "__main__", "__file__": name})
