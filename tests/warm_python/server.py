"""A Python that has imported torch, transformers and ModelOpt, and becomes the program of whoever asks, in a fork.

To import ModelOpt takes seconds, and a test that runs `python` pays them for each process. A fork of one process that
has imported it has all else for itself: environment, folder, modules, what it does to them.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import types
import warnings
from dataclasses import dataclass

# Third parties only: a program imports the package itself, from where its own `PYTHONPATH` has it.
IMPORTED = (
    "torch",
    "modelopt.torch.quantization",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama",
    "transformers.models.qwen3_vl.modeling_qwen3_vl",
    "accelerate.hooks",
    "jsonschema",
    "pydantic",
    "pytest",
    "rich.console",
    "rich.table",
    "scipy.stats",
    "yaml",
)
# What libraries read while they are imported: a program that has another value needs a Python of its own.
READ_AT_IMPORT = ("HF_", "MKL_", "OMP_", "OPENBLAS_", "TORCH_", "TRANSFORMERS_")


@dataclass(frozen=True)
class Program:
    """What `python` was asked to run, and where."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    executable: str

    def become(self) -> None:
        """Set this process up as if it had been started for the program."""
        os.chdir(self.folder)
        _check_same_at_import(self.environment)
        own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        theirs = [part for part in self.environment.get("PYTHONPATH", "").split(os.pathsep) if part]
        sys.path[:] = [*theirs, *(part for part in sys.path if part not in own)]
        os.environ.clear()
        os.environ.update(self.environment)
        sys.executable = self.executable
        signal.signal(signal.SIGINT, signal.default_int_handler)

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


def _check_same_at_import(environment: dict[str, str]) -> None:
    names = {name for name in {*os.environ, *environment} if name.startswith(READ_AT_IMPORT)}
    if other := sorted(name for name in names if os.environ.get(name) != environment.get(name)):
        sys.exit(f"a warm Python has read {', '.join(other)} already; give the test processes of its own")


def serve(listener: socket.socket, executable: str) -> Program | None:
    """Fork for whoever connects: returns in the forks, with the program, and at the end of the standard input."""
    keepers: set[int] = set()
    while True:
        ready, _, _ = select.select([listener.fileno(), sys.stdin.fileno()], [], [])
        # Waited for, and not left to the system, so that whoever measures this process is told of their time too.
        keepers = {keeper for keeper in keepers if os.waitpid(keeper, os.WNOHANG) == (0, 0)}
        if sys.stdin.fileno() in ready:
            for keeper in keepers:
                os.waitpid(keeper, 0)
            return None
        connection, _ = listener.accept()
        with connection:
            keeper = _fork()
            if keeper == 0:
                listener.close()
                return _keep(connection, executable)
            keepers.add(keeper)


def _keep(connection: socket.socket, executable: str) -> Program:
    """Fork again: the inner process becomes the program, the outer one tells the client how that ends, or ends it."""
    program, descriptors = _received(connection, executable)
    child = _fork()
    if child == 0:
        connection.close()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        return program
    for descriptor in descriptors:
        os.close(descriptor)
    ended = os.pidfd_open(child)
    with contextlib.suppress(OSError):  # the client may be gone
        connection.sendall(child.to_bytes(8, "big"))
        ready, _, _ = select.select([connection.fileno(), ended], [], [])
        if ended not in ready:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, "big", signed=True))
    os._exit(0)


def _received(connection: socket.socket, executable: str) -> tuple[Program, list[int]]:
    length, descriptors, _, _ = socket.recv_fds(connection, 8, 3)
    text = connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
    return Program(**json.loads(text), executable=executable), descriptors


def _fork() -> int:
    with warnings.catch_warnings():
        # The threads are those of OpenBLAS, which survives a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def main() -> None:
    address, executable = sys.argv[1:]
    del sys.path[0]
    for name in IMPORTED:
        importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        program = serve(listener, executable)
    if program is not None:
        program.become()
        program.run()


if __name__ == "__main__":
    main()
