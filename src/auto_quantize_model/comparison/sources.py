"""What a user may name to be compared: a manifest, a folder of them, or a folder at a git revision.

A manifest need not be complete: this tool's own of some commits ago may lack what today's must have.
"""

from __future__ import annotations

import dataclasses
import difflib
import io
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from auto_quantize_model.artifacts import MANIFEST_SUFFIX, STAGING
from auto_quantize_model.errors import InputError
from auto_quantize_model.git import ask_git
from auto_quantize_model.manifest.document import parse_manifest, read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODELS = "models"


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """The manifests that a user named."""

    name: str
    """As it was typed."""
    manifests: Mapping[PurePosixPath, dict[str, Any]]
    """By their paths below it."""


def read_source(name: str) -> Source:
    """Read the manifests of a file, a folder or a git revision; what exists on disk comes first."""
    try:
        path = Path(name)
        if path.is_file():
            return Source(name, {PurePosixPath(path.name): read_manifest(path, complete=False)})
        manifests = _of_folder(path) if name and path.is_dir() else _of_revision(name)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name!r}: cannot be read: {error}") from None
    if not manifests:
        raise InputError(f"{name}: holds no *{MANIFEST_SUFFIX}; name a manifest, a folder of results or a git revision")
    return Source(name, manifests)


def _of_folder(folder: Path) -> dict[PurePosixPath, dict[str, Any]]:
    files = [path for path in sorted(folder.rglob(f"*{MANIFEST_SUFFIX}")) if path.is_file()]
    below = {path: PurePosixPath(path.relative_to(folder).as_posix()) for path in files}
    return {path: read_manifest(file, complete=False) for file, path in below.items() if STAGING not in path.parts}


def _of_revision(name: str) -> dict[PurePosixPath, dict[str, Any]]:
    """Read what a revision holds from git's own store; the work tree stays as it is."""
    revision, colon, place = name.partition(":")
    if not revision or _object(f"{revision}^{{commit}}") is None:
        raise InputError(f"{name or repr(name)}: neither a file, a folder nor a git revision here; {_near(name)}")
    place = place if colon else _MODELS
    content = _object(f"{revision}:{place}")
    if content is None:
        raise InputError(f"{name}: the revision {revision} has no '{place}'; name a folder of it as {revision}:FOLDER")
    top = content.decode().strip()
    if ask_git("cat-file", "-t", top) == b"blob\n":
        path = PurePosixPath(place)
        return {PurePosixPath(path.name): _parsed(revision, path, ask_git("cat-file", "blob", top))}
    return {
        path: _parsed(revision, PurePosixPath(place, path), content) for path, content in _contents(_blobs(top)).items()
    }


def _object(expression: str) -> bytes | None:
    """The name of what a revision expression means; None where it means nothing."""
    return ask_git("rev-parse", "--verify", "--quiet", "--end-of-options", expression)


def _blobs(tree: str) -> dict[PurePosixPath, str]:
    """The manifests below a tree, each with the name of its content."""
    listed = (ask_git("ls-tree", "-r", "-z", "--full-tree", tree) or b"").decode(errors="surrogateescape").split("\0")
    entries = (entry.partition("\t") for entry in listed if entry.endswith(MANIFEST_SUFFIX))
    return {PurePosixPath(path): head.split()[2] for head, _, path in entries}


def _contents(blobs: Mapping[PurePosixPath, str]) -> dict[PurePosixPath, bytes | None]:
    """Many contents from one process: each is a line `name type size`, then as many bytes, then a line end."""
    asked = "".join(f"{blob}\n" for blob in blobs.values()).encode()
    answer = io.BytesIO(ask_git("cat-file", "--batch", stdin=asked) or b"")
    result: dict[PurePosixPath, bytes | None] = {}
    for path in blobs:
        _, kind, *size = (*answer.readline().split(), b"missing")
        result[path] = answer.read(int(size[0])) if kind == b"blob" else None
        if kind == b"blob":
            answer.readline()
    return result


def _parsed(revision: str, path: PurePosixPath, content: bytes | None) -> dict[str, Any]:
    name = f"{revision}:{path}"
    if content is None:
        raise InputError(f"{name}: its content is not in this clone; fetch it with git")
    return parse_manifest(content, name, complete=False)


def _near(name: str) -> str:
    """What to give instead of a name that is nothing here."""
    folder = Path(name).parent
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    close = difflib.get_close_matches(Path(name).name, names, n=1)
    return f"did you mean '{folder / close[0]}'?" if close else "give FILE, FOLDER, REVISION or REVISION:FOLDER"
