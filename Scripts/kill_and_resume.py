#!/usr/bin/env python3
"""Kills training runs with SIGKILL, goes on with them until they are done, and compares what they end with.

    Scripts/kill_and_resume.py PROGRAM --model FOLDER --data_dir FOLDER [--runs 50] [-- FLAGS]

Each run is killed several times: at a random moment of the time that an uninterrupted run takes, or as soon as it
begins to write a checkpoint. Every file of its output has to be what the uninterrupted run left, but for times and the
run's own name. Flags after `--` are the program's, and come last.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TIMED = {".camtl-run", "train_results.json", "all_results.json", "README.md", "run_config.json", "runs"}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--model", required=True, help="a pretrained encoder's folder")
    parser.add_argument("--data_dir", required=True, help="a folder in GLUE's layout")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--kills", type=int, default=3, help="the most kills of a run")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1, help="what the moments are drawn with")
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:end])
    arguments.flags = words[end + 1:]
    return arguments


class Runs:
    def __init__(self, arguments, folder):
        self.folder = folder
        self.command = [
            arguments.program, "--model_name_or_path", arguments.model, "--data_dir", arguments.data_dir,
            "--cache_dir", os.path.join(folder, "features"), "--do_train", "--do_eval", "--max_steps",
            str(arguments.steps), "--save_steps", "2", "--save_total_limit", "2", "--logging_steps", "3",
            "--per_device_train_batch_size", "4", "--max_seq_length", "32", "--learning_rate", "1e-4", "--threads",
            "1", "--logging_dir", os.path.join(folder, "logs"),
        ] + arguments.flags

    def start(self, output):
        return subprocess.Popen(
            self.command + ["--output_dir", output, "--resume_from_checkpoint"], stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)

    def finish(self, output):
        process = self.start(output)
        _, messages = process.communicate()
        if process.returncode != 0:
            sys.exit(f"exit status {process.returncode} of a run that was not killed:\n{messages.decode()}")

    def kill(self, output, moment):
        """Kills a run after `moment` seconds, or as it saves if that is None. Returns whether it was still running."""
        process = self.start(output)
        start = time.monotonic()
        while process.poll() is None:
            if moment is None:
                names = os.listdir(output) if os.path.isdir(output) else []
                is_due = any(name.startswith(".camtl-") and name.endswith(".folder") for name in names)
            else:
                is_due = time.monotonic() - start >= moment
            if is_due:
                if moment is None:
                    time.sleep(random.random() * 0.05)
                process.send_signal(signal.SIGKILL)
                process.communicate()
                return process.returncode == -signal.SIGKILL
            time.sleep(0.001)
        process.communicate()
        return False


def contents(folder):
    """The files below a folder with their bytes, less what differs from run to run by its nature."""
    result = {}
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in TIMED]
        for name in files:
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                data = file.read()
            if name in TIMED:
                continue
            if name == "resume_state.json":
                data = strip_times(json.loads(data))
            if name == "trainer_state.json":
                state = json.loads(data)
                if root == folder:
                    state["log_history"].pop()
                state["best_model_checkpoint"] = None
                data = json.dumps(state).encode()
            result[os.path.relpath(path, folder)] = data
    return result


def strip_times(state):
    state["progress"].pop("seconds")
    state["log"].pop("seconds")
    for name in ("files", "checksums", "checksum", "run"):
        state.pop(name)
    return json.dumps(state, sort_keys=True).encode()


def main():
    arguments = parse_arguments()
    random.seed(arguments.seed)
    folder = tempfile.mkdtemp(prefix="camtl-kill-")
    try:
        runs = Runs(arguments, folder)
        whole = os.path.join(folder, "whole")
        runs.finish(whole)
        shutil.rmtree(whole)
        start = time.monotonic()
        runs.finish(whole)
        seconds = time.monotonic() - start
        expected = contents(whole)
        kills = saves = 0
        for number in range(arguments.runs):
            output = os.path.join(folder, f"run-{number}")
            for _ in range(random.randint(1, arguments.kills)):
                moment = None if random.random() < 1 / 3 else random.random() * seconds
                was_killed = runs.kill(output, moment)
                kills += was_killed
                saves += was_killed and moment is None
            runs.finish(output)
            found = contents(output)
            different = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
            if different:
                sys.exit(f"run {number} ends with other bytes in {', '.join(different)}; see {output}")
            shutil.rmtree(output)
        print(
            f"{arguments.runs} runs, {kills} kills, {saves} of them during a save: every run ended with the same "
            f"{len(expected)} files as the one that was not killed ({seconds:.1f} s)")
    finally:
        if sys.exc_info()[0] is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
