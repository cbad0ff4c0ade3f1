"""A Python that has imported some modules, and becomes the program of whoever asks, in a fork.

To import ModelOpt takes seconds, and a test that runs `python` pays them for each process. A fork of one process that
has imported it has all else for itself: environment, folder, modules, what it does to them.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import importlib.metadata
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import types
import warnings
from dataclasses import dataclass, field

# What libraries read while they are imported: a program that has another value needs a Python of its own.
READ_AT_IMPORT = ("HF_", "MKL_", "OMP_", "OPENBLAS_", "TORCH_", "TRANSFORMERS_")


@dataclass(frozen=True)
class Program:
    """What `python` was asked to run, and where."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]

    def become(self, descriptors: list[int]) -> None:
        """Set this process up as if it had been started for the program."""
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        for name in ("stdout", "stderr"):
            self._open_again(name)
        os.chdir(self.folder)
        self._check_what_is_read_at_import()
        own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        theirs = [part for part in self.environment.get("PYTHONPATH", "").split(os.pathsep) if part]
        sys.path[:] = [*theirs, *(part for part in sys.path if part not in own)]
        os.environ.clear()
        os.environ.update(self.environment)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _open_again(self, name: str) -> None:
        """A stream remembers whether its file could be sought in, which the program's may not be."""
        old = getattr(sys, name)
        new = open(  # noqa: SIM115  for as long as the program lives
            old.fileno(),
            "w",
            encoding=old.encoding,
            errors=old.errors,
            buffering=1 if old.line_buffering else -1,
            closefd=False,
        )
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)

    def _check_what_is_read_at_import(self) -> None:
        names = {name for name in {*os.environ, *self.environment} if name.startswith(READ_AT_IMPORT)}
        if other := sorted(name for name in names if os.environ.get(name) != self.environment.get(name)):
            sys.exit(f"a warm Python has read {', '.join(other)} already; give the test processes of its own")

    def run(self) -> None:
        """Run it as `python` does."""
        words = [word for word in self.arguments if word != "-u"]
        option, rest = words[0][:2], [word for word in (words[0][2:], *words[1:]) if word]
        if option == "-m":
            sys.argv = rest
            sys.path.insert(0, self.folder)
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif option == "-c":
            sys.argv = ["-c", *rest[1:]]
            sys.path.insert(0, "")
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(rest[0], "<string>", "exec"), vars(main))  # noqa: S102  what `-c` means
        else:
            sys.exit(f"a warm Python runs `-c` and `-m`, not {words[0]}")


@dataclass
class Server:
    """Forks for whoever connects, tells them how their program ended, and ends it if they are gone."""

    listener: socket.socket
    watched: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    clients: dict[int, socket.socket] = field(default_factory=dict)

    def serve(self) -> None:
        """Until the standard input ends."""
        self.watched.register(self.listener, selectors.EVENT_READ, self.accept)
        self.watched.register(sys.stdin, selectors.EVENT_READ, None)
        while True:
            for key, _ in self.watched.select():
                if key.data is None:
                    return
                key.data()

    def accept(self) -> None:
        connection, _ = self.listener.accept()
        text, descriptors = _request(connection)
        if text is None:
            for descriptor in descriptors:
                os.close(descriptor)
            connection.close()
            return
        child = _fork()
        if child == 0:
            self.watched.close()
            for other in (self.listener, connection, *self.clients.values()):
                other.close()
            _end_with(Program(**json.loads(text)), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self.clients[child] = connection
        ended = os.pidfd_open(child)
        with contextlib.suppress(OSError):  # the client may be gone, which shows below
            connection.sendall(child.to_bytes(8, "big"))
        self.watched.register(ended, selectors.EVENT_READ, lambda: self.finish(child, ended))
        self.watched.register(connection, selectors.EVENT_READ, lambda: self.abandon(child))

    def finish(self, child: int, ended: int) -> None:
        _, status = os.waitpid(child, 0)
        self.watched.unregister(ended)
        os.close(ended)
        connection = self.clients.pop(child)
        with contextlib.suppress(KeyError):
            self.watched.unregister(connection)
        with connection, contextlib.suppress(OSError):  # the client may be gone
            connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, "big", signed=True))

    def abandon(self, child: int) -> None:
        if child in self.clients:  # it may have ended by itself at the same time
            self.watched.unregister(self.clients[child])
            os.kill(child, signal.SIGKILL)


def _request(connection: socket.socket) -> tuple[bytes | None, list[int]]:
    """What a client asks for, None where it was killed before it had asked, and what it has open."""
    descriptors: list[int] = []
    try:
        length, descriptors, _, _ = socket.recv_fds(connection, 8, 3)
        text = connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
    except OSError:
        return None, descriptors
    whole = len(length) == 8 and len(text) == int.from_bytes(length, "big")
    return text if whole else None, descriptors


def _fork() -> int:
    with warnings.catch_warnings():
        # The threads are those of OpenBLAS, which survives a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _end_with(program: Program, descriptors: list[int]) -> None:
    """Run the program, and end as Python ends, but for tearing every module down, which would copy all of them."""
    status: object = None
    try:
        program.become(descriptors)
        program.run()
    except SystemExit as exit_:
        status = exit_.code
    except BaseException as error:  # noqa: BLE001  as Python does
        sys.excepthook(type(error), error, error.__traceback__)
        status = 1
    if status is not None and not isinstance(status, int):
        sys.stderr.write(f"{status}\n")
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit((status or 0) & 0xFF)


def _forget_plugins() -> None:
    """pytest complains of plugins that were imported before it could; some come with what was imported here."""
    packages = {point.module.partition(".")[0] for point in importlib.metadata.entry_points(group="pytest11")}
    for name in list(sys.modules):
        if name.partition(".")[0] in packages:
            del sys.modules[name]


def main() -> None:
    address, sys.executable, *modules = sys.argv[1:]
    del sys.path[0]
    for name in modules:
        importlib.import_module(name)
    _forget_plugins()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        Server(listener).serve()


if __name__ == "__main__":
    main()
