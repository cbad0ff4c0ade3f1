"""The part of `python` that tests use, run by a server that has imported everything; starts without site-packages."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys


def main() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(sys.argv[1])
        folder = os.getcwd()  # noqa: PTH109  pathlib would take longer to import than all the rest
        request = {"arguments": sys.argv[2:], "folder": folder, "environment": dict(os.environ)}
        text = json.dumps(request).encode()
        socket.send_fds(server, [len(text).to_bytes(8, "big")], [0, 1, 2])
        server.sendall(text)
        program = _number(server)
        for wanted in (signal.SIGINT, signal.SIGTERM):
            signal.signal(wanted, lambda number, _: os.kill(program, number))
        status = _number(server)
    if status < 0:
        if -status != signal.SIGKILL:  # which can have no other effect
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _number(server: socket.socket) -> int:
    answer = server.recv(8, socket.MSG_WAITALL)
    if len(answer) < 8:
        sys.exit("the server of warm Python processes has ended")
    return int.from_bytes(answer, "big", signed=True)


main()
