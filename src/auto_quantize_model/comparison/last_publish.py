"""What the last publish changed: the baselines as they are, and as they were before it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from auto_quantize_model.artifacts import MANIFEST_SUFFIX
from auto_quantize_model.comparison.sources import read_source
from auto_quantize_model.errors import InputError
from auto_quantize_model.git import ask_git

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model.comparison.sources import Source

_MANIFESTS = f":(glob)**/*{MANIFEST_SUFFIX}"


@dataclasses.dataclass(frozen=True, slots=True)
class LastPublish:
    """The two sides, and what lies between them."""

    before: Source
    after: Source
    told: str


def last_publish(place: Path) -> LastPublish:
    """What lies in a folder against the last commit before a manifest in it changed.

    A publish that is not committed yet is the last one; reports and figures that alone were made anew are none.
    """
    if not place.is_dir():
        raise InputError(f"{place}: no folder; name a models tree, or a folder below one")
    above = ask_git("rev-parse", "--show-prefix", folder=place)
    if above is None:
        raise InputError(f"{place}: not in a git repository, so nobody knows what was there before")
    revision, told = _before(place)
    inside = above.decode(errors="surrogateescape").strip().rstrip("/")
    names = ask_git("ls-tree", "-r", "--name-only", "--full-tree", f"{revision}:{inside}") or b""
    if not any(name.endswith(MANIFEST_SUFFIX) for name in names.decode(errors="surrogateescape").splitlines()):
        raise InputError(f"{place}: this clone knows of nothing before the last publish ({told})")
    return LastPublish(read_source(f"{revision}:{inside}"), read_source(str(place)), told)


def _before(place: Path) -> tuple[str, str]:
    """The revision before the last publish, and that publish in words."""
    if ask_git("status", "--porcelain", "--untracked-files=all", "--", _MANIFESTS, folder=place):
        return "HEAD", "not committed yet"
    commit = ask_git("log", "-1", "--format=%h%x00%cs%x00%s", "--", _MANIFESTS, folder=place)
    if not commit:
        raise InputError(f"{place}: no commit has a manifest of it; publish, then commit")
    name, date, subject = commit.decode(errors="replace").strip().split("\0", 2)
    return f"{name}^", f"{name} of {date}: {subject}"
