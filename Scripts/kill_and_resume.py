#!/usr/bin/env python3
"""Kills training runs with SIGKILL, goes on with them until they are done, and compares what they end with.

    Scripts/kill_and_resume.py PROGRAM --model FOLDER --data_dir FOLDER [--runs 50] [--processes 1] [-- FLAGS]

Each run is killed several times: at a random moment of the time that an uninterrupted run takes, or as soon as it
begins to write a checkpoint. Every file of its output has to be what the uninterrupted run left, but for times and the
run's own name. Of several processes one is killed, or all are; those that are left have to end by themselves, and to
say why. Flags after `--` are the program's, and come last.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

# Seconds that processes wait for one another, and those that they may take beyond that.
TIMEOUT, SLACK = 10, 20
TIMED = {".camtl-run", "train_results.json", "all_results.json", "README.md", "run_config.json", "runs"}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--model", required=True, help="a pretrained encoder's folder")
    parser.add_argument("--data_dir", required=True, help="a folder in GLUE's layout")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--kills", type=int, default=3, help="the most kills of a run")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--processes", type=int, default=1, help="how many train a run together")
    parser.add_argument("--seed", type=int, default=1, help="what the moments are drawn with")
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:end])
    arguments.flags = words[end + 1:]
    return arguments


class Process:
    """One of the processes of a run, with what it says."""

    def __init__(self, command, environment):
        self.messages = tempfile.TemporaryFile()
        self.popen = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=self.messages, env={**os.environ, **environment})

    @property
    def is_running(self):
        return self.popen.poll() is None

    def kill(self):
        """Returns whether it was still running."""
        self.popen.send_signal(signal.SIGKILL)
        return self.popen.wait() == -signal.SIGKILL

    def end(self, timeout=None):
        """Waits for its end. Returns the exit status and the messages."""
        try:
            status = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            status = f"none {timeout} s after another process was killed"
        self.messages.seek(0)
        return status, self.messages.read().decode()


class Runs:
    def __init__(self, arguments, folder):
        self.folder = folder
        self.size = arguments.processes
        self.command = [
            arguments.program, "--model_name_or_path", arguments.model, "--data_dir", arguments.data_dir,
            "--cache_dir", os.path.join(folder, "features"), "--do_train", "--do_eval", "--max_steps",
            str(arguments.steps), "--save_steps", "2", "--save_total_limit", "2", "--logging_steps", "3",
            "--per_device_train_batch_size", "4", "--max_seq_length", "32", "--learning_rate", "1e-4", "--threads",
            "1", "--logging_dir", os.path.join(folder, "logs"), "--ddp_timeout", str(TIMEOUT),
        ] + arguments.flags

    def start(self, output):
        command = self.command + ["--output_dir", output, "--resume_from_checkpoint"]
        if self.size == 1:
            return [Process(command, {})]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        team = {"WORLD_SIZE": str(self.size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        return [Process(command, {"RANK": str(rank), **team}) for rank in range(self.size)]

    def finish(self, output):
        for status, messages in [process.end() for process in self.start(output)]:
            if status != 0:
                sys.exit(f"exit status {status} of a run that was not killed:\n{messages}")

    def kill(self, output, moment):
        """Kills a run after `moment` seconds, or as it saves if that is None: all of its processes, or one.

        Returns how many were killed while they were running, and how many others ended because of that.
        """
        processes = self.start(output)
        victims = processes if random.random() < 1 / 3 else [random.choice(processes)]
        start = time.monotonic()
        while all(process.is_running for process in processes):
            if moment is None:
                names = os.listdir(output) if os.path.isdir(output) else []
                is_due = any(name.startswith(".camtl-") and name.endswith(".folder") for name in names)
            else:
                is_due = time.monotonic() - start >= moment
            if is_due:
                if moment is None:
                    time.sleep(random.random() * 0.05)
                killed = [victim.kill() for victim in victims].count(True)
                others = [process.end(TIMEOUT + SLACK) for process in processes if process not in victims]
                for status, messages in others:
                    # The work may have been done when the other was killed.
                    if status not in (0, 1) or status == 1 and "Error: " not in messages:
                        sys.exit(f"exit status {status} of a process that was left alone:\n{messages}")
                return killed, [status for status, _ in others].count(1)
            time.sleep(0.001)
        for process in processes:
            process.end()
        return 0, 0


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
        kills = saves = partly = 0
        for number in range(arguments.runs):
            output = os.path.join(folder, f"run-{number}")
            for _ in range(random.randint(1, arguments.kills)):
                moment = None if random.random() < 1 / 3 else random.random() * seconds
                killed, ended = runs.kill(output, moment)
                kills += killed > 0
                saves += killed > 0 and moment is None
                partly += ended > 0
            runs.finish(output)
            found = contents(output)
            different = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
            if different:
                sys.exit(f"run {number} ends with other bytes in {', '.join(different)}; see {output}")
            shutil.rmtree(output)
        partly = f", {partly} after which others ended by themselves with a message" if arguments.processes > 1 else ""
        print(
            f"{arguments.runs} runs, {kills} kills, {saves} of them during a save{partly}: every run ended with the "
            f"same {len(expected)} files as the one that was not killed ({seconds:.1f} s)")
    finally:
        if sys.exc_info()[0] is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
