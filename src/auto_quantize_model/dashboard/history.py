"""How the scores went from one git revision to the next."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from auto_quantize_model.comparison.sources import read_source
from auto_quantize_model.dashboard.case_data import case_data
from auto_quantize_model.errors import InputError
from auto_quantize_model.git import ask_git
from auto_quantize_model.manifest.document import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST = 40
_KEYS = ("score", "kl")


def read_history(span: str, place: str) -> dict[str, Any]:
    """The revisions of a span that changed a models tree, from the oldest, with what each case's groups had there.

    `span` is what `git log` takes as one; its first revision is the start, and is shown too.
    """
    revisions = list(_revisions(span, place))
    cases: dict[str, dict[str, Any]] = {}
    for number, (revision, _, _) in enumerate(revisions):
        try:
            source = read_source(f"{revision}:{place}")
        except InputError:
            continue  # nothing was published yet
        for path, manifest in source.manifests.items():
            identifier = str(mapping(manifest, "case").get("id") or path.parent)
            _note(cases.setdefault(identifier, {}), number, len(revisions), manifest, identifier)
    return {"revisions": [[name, date, subject] for name, date, subject in revisions], "cases": cases}


def _revisions(span: str, place: str) -> Iterator[tuple[str, str, str]]:
    first, dots, last = span.partition("..")
    if not dots or not first:
        raise InputError(f"--history {span}: give two revisions as OLD..NEW, for example HEAD~20..HEAD")
    end = last or "HEAD"
    for revision in (first, end):
        if ask_git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}") is None:
            raise InputError(f"--history {span}: '{revision}' is no git revision here; git log --oneline lists them")
    form = "--format=%h%x00%cs%x00%s"
    start = ask_git("log", "-1", form, first) or b""
    changed = ask_git("log", "--reverse", form, f"{first}..{end}", "--", f":(top){place}") or b""
    lines = [*start.decode(errors="replace").splitlines(), *changed.decode(errors="replace").splitlines()]
    if len(lines) > _MOST:
        lines = [lines[0], *lines[len(lines) - _MOST + 1 :]]
    for line in lines:
        name, date, subject = line.split("\0", 2)
        yield name, date, subject


def _note(history: dict[str, Any], number: int, count: int, manifest: Mapping[str, Any], identifier: str) -> None:
    """Put what one revision says of a case at its place."""
    case = case_data(manifest, identifier, with_figure=False)
    for key, value in (("score", case["score"]), ("predicted", case["predicted"])):
        history.setdefault(key, [None] * count)[number] = value
    groups = history.setdefault("groups", {})
    columns = [case["columns"].get(key) or itertools.repeat(None) for key in _KEYS]
    for group, *values in zip(case["groups"], *columns, strict=False):
        for key, value in zip(_KEYS, values, strict=True):
            groups.setdefault(group, {each: [None] * count for each in _KEYS})[key][number] = value
