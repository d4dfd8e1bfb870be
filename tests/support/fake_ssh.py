"""An ssh that goes nowhere: it notes how it was called, and carries the socket of `-L` to this machine's own."""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path


def install(directory: Path) -> Path:
    """Write `ssh` into `directory`, which belongs at the head of PATH; return the file of how it was called."""
    directory.mkdir(exist_ok=True)
    program = directory / "ssh"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} {directory / "called"} "$@"\n')
    program.chmod(0o755)
    return directory / "called"


def _pipe(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


def _serve(local: str, remote: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(local)
        listener.listen()
        while True:
            near, _ = listener.accept()
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(remote)
            except OSError:
                near.close()
                continue
            for pair in ((near, far), (far, near)):
                threading.Thread(target=_pipe, args=pair, daemon=True).start()


def main(called: str, *argv: str) -> int:
    with Path(called).open("a") as file:
        file.write(" ".join(argv) + "\n")
    if argv[-1].endswith("unreachable.test"):
        sys.stderr.write("ssh: connect to host unreachable.test port 22: Connection refused\n")
        return 255
    if "-O" in argv:  # nobody shares a connection here
        return 255
    local, _, remote = argv[argv.index("-L") + 1].partition(":")
    os.umask(0o177)
    _serve(local, remote)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
