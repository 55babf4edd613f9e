"""A server on loopback that serves a folder as the Hugging Face hub and as a plain web server, with faults on demand.

    faulty_server.py FOLDER

It prints its two ports, the hub's and that of the other host that large files lie on, and serves until its standard
input ends. In FOLDER lie

    hub/OWNER/NAME/FILE    a model's files; those that end in .safetensors or .bin lie on the other host
    web/...                files as they are
    settings.json          {"token": what the hub asks for, "moved": {OLD: NEW} names, "faults": {PATH: [fault, ...]}}
    requests.jsonl         is written: a line a request

Each request for a path (in which a commit is written COMMIT) takes the next of its faults, until there is none; a
fault that has "method" waits for a request of that method:

    {"status": 429, "headers": {...}}   answers with an error
    {"cut": N}           breaks off after N bytes of the body
    {"stall": S}         sends a byte of the body and is silent for S seconds
    {"short": N}         says and sends N bytes less than there are
    {"long": N}          says and sends N bytes more
    {"claim": N}         says that there are N bytes more, and closes the connection
    {"garble": true}     changes a byte in the middle
    {"whole": true}      ignores Range
    {"shift": N}         sends a part that begins N bytes later than it was asked for
    {"redirect": URL}    sends elsewhere; {other} in it stands for the other host
    {"page": TEXT}       answers 200 with a page of its own
    {"drop": true}       answers nothing
    {"raw": TEXT, "then": TEXT, "pause": S}   sends bytes of its own, Latin-1 in TEXT, and then others again and again,
                         S seconds after each, until the client goes, or "times" times
"""

import hashlib
import json
import os
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

FOLDER = sys.argv[1]
LOCK = threading.Lock()
with open(os.path.join(FOLDER, "settings.json"), encoding="utf-8") as file:
    SETTINGS = json.load(file)
FAULTS = SETTINGS.get("faults", {})


def read(path):
    with open(path, "rb") as file:
        return file.read()


def files_of(model):
    folder = os.path.join(FOLDER, "hub", model)
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else None


def commit_of(model):
    """A commit of the files' content: 40 digits that change with it."""
    folder = os.path.join(FOLDER, "hub", model)
    content = b"".join(name.encode() + read(os.path.join(folder, name)) for name in files_of(model))
    return hashlib.sha1(content).hexdigest()


def git_hash(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.handle_request()

    def do_GET(self):
        self.handle_request()

    def handle_request(self):
        path = unquote(urlsplit(self.path).path)
        is_other = self.server is OTHER
        with LOCK:
            with open(os.path.join(FOLDER, "requests.jsonl"), "a", encoding="utf-8") as log:
                headers = {name.lower(): value for name, value in self.headers.items()}
                host = "other" if is_other else "hub"
                line = {"host": host, "method": self.command, "path": path, "headers": headers}
                log.write(json.dumps(line) + "\n")
            waiting = FAULTS.get(re.sub("/[0-9a-f]{40}/", "/COMMIT/", path), [])
            fault = waiting.pop(0) if waiting and waiting[0].get("method", self.command) == self.command else {}
        if fault.get("drop"):
            self.hang_up()
        elif "raw" in fault:
            self.send_raw(fault)
        elif "status" in fault:
            self.answer(fault["status"], b"no\n", fault.get("headers", {}))
        elif "redirect" in fault:
            target = fault["redirect"].replace("{other}", f"http://127.0.0.1:{OTHER.server_port}")
            self.answer(302, b"elsewhere\n", {"Location": target})
        elif "page" in fault:
            self.answer(200, fault["page"].encode(), {})
        elif is_other:
            self.serve_blob(path, fault)
        elif path.startswith("/web/"):
            self.serve_web(path, fault)
        else:
            self.serve_hub(path, fault)

    def serve_web(self, path, fault):
        place = os.path.join(FOLDER, path.lstrip("/"))
        if not os.path.isfile(place):
            return self.answer(404, b"not found\n", {})
        content = read(place)
        self.send_content(content, {"ETag": f'"{hashlib.md5(content).hexdigest()}"'}, fault)

    def serve_hub(self, path, fault):
        token = SETTINGS.get("token")
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            return self.answer(401, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        parts = path.strip("/").split("/")
        is_api = parts[:2] == ["api", "models"]
        parts = parts[2:] if is_api else parts
        word = "revision" if is_api else "resolve"
        if word not in parts:
            return self.answer(404, b"", {})
        model = "/".join(parts[: parts.index(word)])
        rest = parts[parts.index(word) + 1 :]
        moved = SETTINGS.get("moved", {}).get(model)
        if moved:
            return self.answer(307, b"", {"Location": self.path.replace(f"/{model}/", f"/{moved}/")})
        files = files_of(model)
        if files is None:
            return self.answer(401, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        commit = commit_of(model)
        revision = "/".join(rest if is_api else rest[:-1])
        if revision not in ("main", "refs/pr/1", commit):
            return self.answer(404, b"", {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"})
        if is_api:
            listing = {"id": model, "sha": commit, "siblings": [{"rfilename": name} for name in files]}
            return self.send_content(json.dumps(listing).encode(), {}, fault)
        if rest[-1] not in files:
            return self.answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        content = read(os.path.join(FOLDER, "hub", model, rest[-1]))
        if not rest[-1].endswith((".safetensors", ".bin")):
            return self.send_content(content, {"ETag": f'"{git_hash(content)}"', "X-Repo-Commit": commit}, fault)
        self.answer(302, b"moved", {
            "X-Repo-Commit": commit, "X-Linked-ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Linked-Size": str(len(content)), "ETag": '"of the redirection"',
            "Location": f"http://127.0.0.1:{OTHER.server_port}/{model}/{rest[-1]}?signature=secret",
        })

    def serve_blob(self, path, fault):
        if self.headers.get("Authorization"):
            return self.answer(400, b"two ways to authenticate\n", {})
        place = os.path.join(FOLDER, "hub", path.lstrip("/"))
        if not os.path.isfile(place):
            return self.answer(404, b"not found\n", {})
        self.send_content(read(place), {"ETag": '"of the other host"'}, fault)

    def send_content(self, content, headers, fault):
        total = len(content)
        start = 0
        wanted = self.headers.get("Range")
        current = headers.get("ETag")
        if wanted and not fault.get("whole") and self.headers.get("If-Range", current) == current:
            start = int(wanted[len("bytes="):].split("-")[0])
            if start >= total:
                return self.answer(416, b"", {"Content-Range": f"bytes */{total}"})
            start = start + fault.get("shift", 0)
            headers = {**headers, "Content-Range": f"bytes {start}-{total - 1}/{total}"}
        body = content[start:]
        if fault.get("garble"):
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        if "short" in fault:
            body = body[: -fault["short"]]
        body += b"x" * fault.get("long", 0)
        self.send_response(206 if "Content-Range" in headers else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body) + fault.get("claim", 0)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if "cut" in fault:
            self.wfile.write(body[: fault["cut"]])
            self.hang_up()
        elif "stall" in fault:
            self.wfile.write(body[:1])
            self.wfile.flush()
            time.sleep(fault["stall"])
            self.hang_up()
        else:
            self.wfile.write(body)
            if "claim" in fault:
                self.hang_up()

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_raw(self, fault):
        self.close_connection = True
        piece = fault.get("then", "").encode("latin-1")
        try:
            self.wfile.write(fault["raw"].encode("latin-1"))
            for _ in range(fault.get("times", 1 << 40) if piece else 0):
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(fault.get("pause", 0))
        except OSError:
            pass
        self.hang_up()

    def hang_up(self):
        self.close_connection = True
        try:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that goes away is none of the server's errors."""


HUB = Server(("127.0.0.1", 0), Handler)
OTHER = Server(("127.0.0.1", 0), Handler)
for server in (HUB, OTHER):
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(HUB.server_port, OTHER.server_port, flush=True)
sys.stdin.read()
