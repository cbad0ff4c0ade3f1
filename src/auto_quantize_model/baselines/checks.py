"""Checks of a committed models tree. Each yields its problems, one line each, which name the file."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from auto_quantize_model.artifacts import MANIFEST_SUFFIX, RECIPE_FILES, REPORT_NAMES, STAGING, render_reports
from auto_quantize_model.baselines.folders import whereabouts
from auto_quantize_model.baselines.index import committed, index_files, suite_folder
from auto_quantize_model.baselines.store import baseline_folder
from auto_quantize_model.checkpoints.locate import has_own_checkpoint
from auto_quantize_model.commands import publish_command
from auto_quantize_model.errors import InputError
from auto_quantize_model.git import ask_git
from auto_quantize_model.manifest.probe_sums import SAFETENSORS, SUFFIX
from auto_quantize_model.options import REPORT_ONLY
from auto_quantize_model.pictures.model_figures import FIGURE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auto_quantize_model.baselines.store import Baselines
    from auto_quantize_model.cases.suite import Case, Suite

_PICKLES = {".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"}
_LEFT_BEHIND = {STAGING, "__pycache__"}
_EXCERPT = 60

_POSIX = r"(?<![\w./~<)\]}*])/(?:[\w.@+~-]+/)+[\w.@+~-]+"
_FILE_URL = r"(?<!\w)file:/+[\w.@+~-]+"
_WINDOWS = r"(?<!\w)[A-Za-z]:(?:\\+|/)[\w.@+~ -]+"
_HOME = r"(?<![\w./~<)\]}*])/(?:home|root|tmp|mnt|opt|usr|var|Users)\b"
_ABSOLUTE_PATH = re.compile("|".join((_POSIX, _FILE_URL, _WINDOWS, _HOME)))
_JSON_WHITESPACE = re.compile(r"(?<!\\)\\[nrt]")
"""An escaped line end or tab, whose letter would join the word after it."""


def stale_reports(case: Case, baselines: Baselines) -> Iterator[str]:
    """Artifacts of a case's baseline that are missing, unreadable or not what its manifest gives."""
    try:
        baseline = baselines.manifest(case)
    except InputError as error:
        yield str(error)
        return
    folder = whereabouts(baseline_folder(case))
    if baseline is None or folder is None:
        return
    for name, text in render_reports(baseline).items():
        problem = _staleness(folder / name, text, baselines)
        if problem is not None:
            yield f"{folder / name}: {problem}"


def missing_baselines(suite: Suite) -> Iterator[str]:
    """Cases without a baseline whose model is here, and baselines that are not in their place."""
    for case in suite.cases:
        folder = baseline_folder(case)
        place = whereabouts(folder)
        if place is None and has_own_checkpoint(case):
            yield f"{folder}: no baseline; create it: {publish_command(suite_folder(suite), case.id)}"
        if place not in (None, folder):
            command = publish_command(suite_folder(suite), case.id, REPORT_ONLY.pytest_flag)
            yield f"{folder}: an interrupted publish left it in {place}; put it back: {command}"


def stray_baselines(suite: Suite, models: Path) -> Iterator[str]:
    """Folders of baselines that no case of the suite has."""
    expected = {case.run_folder for case in suite.cases}
    for folder in sorted(models.glob("*/layer-analysis/weight-*/*")):
        if folder.is_dir() and folder.relative_to(models) not in expected:
            yield f"{folder}: no case of {suite.path} has it; remove it, or add its model, pair and size to the suite"


def stray_recipes(suite: Suite, models: Path) -> Iterator[str]:
    """Folders of recipes that the suite has not."""
    expected = {recipe.folder for recipe in suite.recipes}
    for folder in sorted(models.glob("*/recipes/*")):
        if folder.is_dir() and folder not in expected:
            yield f"{folder}: no recipe of {suite.path} has it; remove it, or add its name to the suite's `recipes`"


def stale_index(suite: Suite, model: str, baselines: Baselines) -> Iterator[str]:
    """A model's index or figures that are missing or not what its baselines give."""
    try:
        problems = [
            f"{file}: {problem}"
            for file, text in index_files(suite, model, baselines).items()
            if (problem := _difference(committed(file), text)) is not None
        ]
    except InputError as error:
        yield str(error)
        return
    yield from (f"{each}; write it again: publish a case of {model}, or its reports alone" for each in problems)


def unknown_files(models: Path) -> Iterator[str]:
    """Files in a models tree, committed or about to be, that have no place there."""
    tracked = _tracked(models)
    for path in map(PurePosixPath, _on_disk(models) if tracked is None else tracked):
        if path.suffix.lower() in _PICKLES:
            yield f"{models / path}: a pickle may run code when it is loaded; remove it, or convert it to safetensors"
        elif not _has_place(path):
            yield f"{models / path}: has no place in a models tree; move it away, or have git ignore it"


def artifact_files(models: Path) -> Iterator[Path]:
    """The manifests, reports and indices of a models tree: all that is text."""
    for path in sorted([*models.glob("*/layer-analysis/**/*"), *models.glob("*/recipes/**/*")]):
        if path.is_file() and path.suffix != SAFETENSORS and STAGING not in path.parts:
            yield path


def absolute_paths(files: Iterable[Path], baselines: Baselines) -> Iterator[str]:
    """Lines of artifacts that name a place on somebody's machine."""
    for file in files:
        try:
            text = baselines.content(file).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            yield f"{file}: cannot be read as text: {error}; restore it or publish the case again"
            continue
        for number, line in _lines_with_slashes(text):
            path = _ABSOLUTE_PATH.search(_JSON_WHITESPACE.sub("  ", line) if file.suffix == ".json" else line)
            if path:
                yield f"{file}:{number}: holds the absolute path '{path[0]}'; name the thing, not its place"


def _lines_with_slashes(text: str) -> Iterator[tuple[int, str]]:
    """The lines that could name a path at all, which are few, with their numbers."""
    number, end = 1, 0
    ahead = dict.fromkeys("/\\", -1)
    while True:
        # Searching for one character at a time is many times as fast as a regular expression for both.
        ahead = {slash: place if place >= end else _place_of(slash, text, end) for slash, place in ahead.items()}
        nearest = min(ahead.values())
        if nearest == len(text):
            return
        start = text.rfind("\n", 0, nearest) + 1
        number += text.count("\n", end, start)
        end = _place_of("\n", text, nearest)
        yield number, text[start:end]


def _place_of(character: str, text: str, start: int) -> int:
    """Where a character is next; the length of the text where it is not."""
    place = text.find(character, start)
    return len(text) if place < 0 else place


def _staleness(file: Path, text: str, baselines: Baselines) -> str | None:
    try:
        return _difference(baselines.content(file), text)
    except FileNotFoundError:
        return _difference(None, text)
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _difference(committed: bytes | None, generated: str) -> str | None:
    """How committed bytes differ from generated text: the first line that does."""
    if committed is None:
        return "missing"
    if committed == generated.encode():
        return None
    theirs, ours = committed.decode(errors="replace").split("\n"), generated.split("\n")
    for number, (old, new) in enumerate(itertools.zip_longest(theirs, ours), start=1):
        if old != new:
            return f"line {number} is {_excerpt(old, new)}, generated {_excerpt(new, old)}"
    return "not valid UTF-8"


def _excerpt(line: str | None, other: str | None) -> str:
    """A line, cut so that it shows where it begins to differ from the other."""
    if line is None:
        return "(no line)"
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(line, other or "", strict=False))
    start = max(sum(1 for _ in same) - _EXCERPT // 3, 0)
    end = start + _EXCERPT
    return f"{'...' if start else ''}{line[start:end]!r}{'...' if end < len(line) else ''}"


def _tracked(models: Path) -> list[str] | None:
    """What git has, or would take, below a folder; None where the folder is in no work tree."""
    chosen = ("--cached", "--others", "--exclude-standard", f"--exclude={STAGING}/")
    listed = ask_git("ls-files", *chosen, "-z", folder=models)
    if listed is None:
        return None
    names = sorted({name for name in os.fsdecode(listed).split("\0") if name})
    return [name for name in names if os.path.lexists(models / name)]


def _on_disk(models: Path) -> list[str]:
    paths = (path.relative_to(models) for path in sorted(models.rglob("*")) if not path.is_dir())
    return [
        path.as_posix() for path in paths if path.parts[1:2] != ("checkpoint",) and not _LEFT_BEHIND & {*path.parts}
    ]


def _has_place(path: PurePosixPath) -> bool:
    match path.parts:
        case ("README.md",) | (_, "model.yaml" | "README.md") | (_, "checkpoint", *_):
            return True
        case (_, "layer-analysis", artifact):
            return artifact in ("README.md", *FIGURE_NAMES)
        case (_, "recipes", _, artifact):
            return artifact in RECIPE_FILES
        case (_, "layer-analysis", weight, _, artifact):
            return weight.startswith("weight-") and _is_artifact(artifact)
        case (_, folder, *_):
            # The scripts that made the model.
            return folder not in ("layer-analysis", "recipes") and path.suffix == ".py"
        case _:
            return False


def _is_artifact(name: str) -> bool:
    return name in REPORT_NAMES or name.endswith((MANIFEST_SUFFIX, SUFFIX))
