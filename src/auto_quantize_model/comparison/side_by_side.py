"""Two sources of manifests, case by case."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING, Any

from auto_quantize_model.comparison.compare import VERDICTS, compare
from auto_quantize_model.errors import InputError, nearest
from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.manifest.older import model_name
from auto_quantize_model.statistics.rank_correlation import spearman

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from pathlib import PurePosixPath

    from auto_quantize_model.cases.settings import Tolerances
    from auto_quantize_model.comparison.compare import Comparison, Verdict
    from auto_quantize_model.comparison.sources import Source

    MatchKey = Callable[[PurePosixPath, Mapping[str, Any]], Hashable]

_FEWEST_FOR_SPEARMAN = 3


@dataclasses.dataclass(frozen=True, slots=True)
class ComparedCase:
    """One case of each source, compared."""

    old: str
    """The case's id; an older manifest's folder in its source."""
    new: str
    comparison: Comparison
    spearman: float | None
    """How alike the two order their groups; it decides nothing, and is None where there is no order."""

    @property
    def name(self) -> str:
        """The case, or both where they are two."""
        return self.new if self.old == self.new else f"{self.old} -> {self.new}"


@dataclasses.dataclass(frozen=True, slots=True)
class SideBySide:
    """Two sources, compared."""

    old: str
    new: str
    cases: tuple[ComparedCase, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the cases'."""
        return max((case.comparison.verdict for case in self.cases), key=VERDICTS.index)


def compare_sources(old: Source, new: Source, tolerances: Tolerances) -> SideBySide:
    """Compare every case that two sources have in common; none is an error, others are named and decide nothing."""
    matched = _match(old, new)
    if not matched:
        raise InputError(_nothing_in_common(old, new))
    cases = []
    for one, other in matched.items():
        before, after = old.manifests[one], new.manifests[other]
        comparison = compare(before, after, tolerances)
        cases.append(ComparedCase(_name(one, before), _name(other, after), comparison, same_order(comparison)))
    return SideBySide(
        old=old.name,
        new=new.name,
        cases=tuple(cases),
        only_old=tuple(_name(path, each) for path, each in old.manifests.items() if path not in matched),
        only_new=tuple(_name(path, each) for path, each in new.manifests.items() if path not in matched.values()),
    )


def same_order(comparison: Comparison) -> float | None:
    """How alike the two manifests order the groups that both have."""
    changes = [change for change in comparison.groups if change.measure == "importance"]
    if len(changes) < _FEWEST_FOR_SPEARMAN:
        return None
    return spearman([change.old for change in changes], [change.new for change in changes])


def _match(old: Source, new: Source) -> dict[PurePosixPath, PurePosixPath]:
    """Match by the first key that names one manifest on each side.

    Cases of other models, pairs or sizes are matched only where no case is in both, and nothing else can be meant.
    """
    if len(old.manifests) == len(new.manifests) == 1:
        return dict(zip(old.manifests, new.manifests, strict=True))
    matched: dict[PurePosixPath, PurePosixPath] = {}
    for key_of in _SAME_CASE:
        matched |= _match_by(key_of, old, new, matched)
    # Only an older manifest has no name to go by: two that have are two cases, whatever else they share.
    by_scheme = _match_by(_model_and_scheme, old, new, matched).items()
    matched |= {one: other for one, other in by_scheme if not _both_named(old.manifests[one], new.manifests[other])}
    if matched or 1 in (len(old.manifests), len(new.manifests)):
        return matched
    for key_of in _OTHER_CASE:
        matched |= _match_by(key_of, old, new, matched)
    return matched


def _match_by(
    key_of: MatchKey, old: Source, new: Source, matched: Mapping[PurePosixPath, PurePosixPath]
) -> dict[PurePosixPath, PurePosixPath]:
    before, after = _by_key(key_of, old, matched), _by_key(key_of, new, matched.values())
    return {path: after[key] for key, path in before.items() if key in after}


def _by_key(key_of: MatchKey, source: Source, taken: Any) -> dict[Hashable, PurePosixPath]:
    """The manifests that are left, by a key that no other of them has."""
    done = set(taken)
    keys = {path: key_of(path, each) for path, each in source.manifests.items() if path not in done}
    counts = collections.Counter(keys.values())
    return {key: path for path, key in keys.items() if key is not None and counts[key] == 1}


def _case(_: PurePosixPath, manifest: Mapping[str, Any]) -> Hashable:
    return _stated(manifest, "id")


def _place(path: PurePosixPath, _: Mapping[str, Any]) -> Hashable:
    return path if path.parent.name else None


def _folder(path: PurePosixPath, _: Mapping[str, Any]) -> Hashable:
    return path.parent.name or None


def _model_and_scheme(_: PurePosixPath, manifest: Mapping[str, Any]) -> Hashable:
    model, scheme = mapping(manifest, "model").get("id"), mapping(manifest, "scheme").get("name")
    return None if model is None or scheme is None else (model_name(str(model)), scheme)


def _both_named(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return _stated(old, "id") is not None and _stated(new, "id") is not None


def _pair_and_size(_: PurePosixPath, manifest: Mapping[str, Any]) -> Hashable:
    return _stated(manifest, "pair", "size")


def _model_and_size(_: PurePosixPath, manifest: Mapping[str, Any]) -> Hashable:
    return _stated(manifest, "model", "size")


def _model_and_pair(_: PurePosixPath, manifest: Mapping[str, Any]) -> Hashable:
    return _stated(manifest, "model", "pair")


def _stated(manifest: Mapping[str, Any], *keys: str) -> Hashable:
    """What a manifest says of its case; None where it does not say all of it."""
    values = tuple(str(value) for key in keys if (value := mapping(manifest, "case").get(key)) is not None)
    return values if len(values) == len(keys) else None


_SAME_CASE: tuple[MatchKey, ...] = (_case, _place, _folder)
_OTHER_CASE: tuple[MatchKey, ...] = (_pair_and_size, _model_and_size, _model_and_pair)


def _name(path: PurePosixPath, manifest: Mapping[str, Any]) -> str:
    """A case's id; an older manifest has none, and goes by its folder."""
    name = mapping(manifest, "case").get("id")
    if name is not None:
        return str(name)
    return str(path.parent) if path.parent.name else path.name


def _nothing_in_common(old: Source, new: Source) -> str:
    before, after = ([_name(path, each) for path, each in source.manifests.items()] for source in (old, new))
    if len(before) == 1:
        return f"{new.name}: has no case {before[0]}; {nearest(before[0], after)}"
    if len(after) == 1:
        return f"{old.name}: has no case {after[0]}; {nearest(after[0], before)}"
    return f"{old.name} and {new.name} have no case in common; name two manifests to compare other cases"
