"""What differs between a baseline and a case as it would run now, and how to set each difference back."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from auto_quantize_model.captions.reading import captions_sha256, first_captions, read_captions
from auto_quantize_model.cases.builtin import builtin_folder
from auto_quantize_model.errors import CaseError, InputError, NotCoveredError
from auto_quantize_model.explain.older_captions import CaptionFile, Prefix, find_among, find_in_history
from auto_quantize_model.manifest.document import mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.explain.setups import Section, Setup
    from auto_quantize_model.precision.formats import ResolvedFormat

PAIR_CONFIG = "pair config"
CAPTIONS = "captions"
SAMPLE_COUNTS = "sample counts"
ENGINE = "engine"
DEVICE = "device"


@dataclasses.dataclass(frozen=True, slots=True)
class Factor:
    """One difference that a rerun can test."""

    name: str
    old: str
    new: str
    set_back: Callable[[Setup], Setup]
    """The setup with this one difference undone."""


@dataclasses.dataclass(frozen=True, slots=True)
class Untested:
    """One difference that no rerun here can test."""

    name: str
    old: str
    new: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Differences:
    """All that differs between a baseline and what would run now, as far as settings tell."""

    now: Setup
    """The setup as it would run now; the factors are set back in it."""
    factors: tuple[Factor, ...]
    untested: tuple[Untested, ...]
    unstated: tuple[str, ...]
    """What an older manifest does not say, so that it can be neither compared nor set back."""


@dataclasses.dataclass(frozen=True, slots=True)
class Texts:
    """Where the older captions may be, beside the folder of the present ones and its git history."""

    given: Path | None = None
    """The file that the user says it is."""
    folders: tuple[Path, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Setting:
    """A setting that a manifest repeats as it is."""

    name: str
    stated: tuple[str, str]
    section: Section
    key: str


_SETTINGS = (
    _Setting("batch size", ("calibration", "batch_size"), "autoquant", "batch_size"),
    _Setting("sequence length", ("dataset", "seq_len"), "dataset", "seq_len"),
    _Setting("padding side", ("dataset", "padding_side"), "dataset", "padding_side"),
    _Setting("scoring method", ("scheme", "auto_quantize_method"), "autoquant", "method"),
    _Setting("dtype", ("engine", "dtype"), "model", "dtype"),
)


def stated(manifest: Mapping[str, Any], section: str, key: str) -> Any:
    """What a manifest says about something; None where it says nothing."""
    return mapping(manifest, section).get(key)


def find_differences(now: Setup, baseline: Mapping[str, Any], texts: Texts, scratch: Path) -> Differences:
    """Compare a baseline with a setup.

    Versions of captions that come out of the git history are written to `scratch`; they must stay there until the
    reruns are done.
    """
    if texts.given is not None:
        read_captions(texts.given)
    search = _Search(now, baseline)
    search.pair_config()
    search.captions(texts, scratch)
    for setting in _SETTINGS:
        search.setting(setting)
    search.engine()
    search.device()
    return Differences(search.now, tuple(search.factors), tuple(search.untested), tuple(search.unstated))


class _Search:
    """The differences found so far."""

    def __init__(self, now: Setup, baseline: Mapping[str, Any]) -> None:
        self.now = now
        self.baseline = baseline
        self.factors: list[Factor] = []
        self.untested: list[Untested] = []
        self.unstated: list[str] = []

    def setting(self, setting: _Setting) -> None:
        """A setting that a manifest repeats as it is."""
        old, new = self._stated(setting.name, *setting.stated), getattr(self._section(setting.section), setting.key)
        if old is None or old == new:
            return

        def set_back(setup: Setup) -> Setup:
            return setup.with_settings(setting.section, **{setting.key: old})

        self._add(Factor(setting.name, str(old), str(new), set_back))

    def pair_config(self) -> None:
        """The pair's configuration, as the installed ModelOpt understands the older one and the pair's own."""
        from auto_quantize_model.cases.settings import FormatSettings
        from auto_quantize_model.precision.formats import resolve_format

        config = self._stated(PAIR_CONFIG, "quantization", "config")
        if config is None:
            return
        new = resolve_format(self.now.case.pair.format)
        name = str(stated(self.baseline, "quantization", "format"))
        shown = (
            _called(name, str(stated(self.baseline, "quantization", "config_sha256"))),
            _called(new.name, new.sha256),
        )
        try:
            old = FormatSettings(name=name, config=config)
            resolved = resolve_format(old)
            self._check_format(resolved)
        except (CaseError, ValueError) as error:
            self.untested.append(Untested(PAIR_CONFIG, *shown, " ".join(str(error).split())))
            return
        # Not as the manifest holds it: a newer ModelOpt may fill in defaults that an older one did not know.
        if resolved.resolved != new.resolved:
            self._add(Factor(PAIR_CONFIG, *shown, lambda setup: setup.with_settings("pair", format=old)))

    def engine(self) -> None:
        """The engine, where the method leaves a choice."""
        old = self._stated(ENGINE, "engine", "name")
        free = stated(self.baseline, "scheme", "auto_quantize_method") == "gradient"
        if old in ("replay", "modelopt") and old != self.now.engine and free:
            self._add(Factor(ENGINE, old, self.now.engine, lambda setup: dataclasses.replace(setup, engine=old)))

    def device(self) -> None:
        """The kind of device, where the other one is here too."""
        from auto_quantize_model.precision.capability import find_device

        case = self.now.case
        old = self._stated(DEVICE, "engine", "device")
        new = find_device(case.autoquant.device, case.model.devices).type
        if old is None or old == new:
            return
        try:
            find_device(old, case.model.devices)
        except (InputError, CaseError) as error:
            self.untested.append(Untested(DEVICE, old, new, str(error)))
        else:
            self._add(Factor(DEVICE, old, new, lambda setup: setup.with_settings("autoquant", device=old)))

    def captions(self, known: Texts, scratch: Path) -> None:
        """The captions and how many of them count: two causes where the older text is at hand and long enough."""
        sha256 = self._stated(CAPTIONS, "calibration", "captions_sha256")
        count = self._stated(SAMPLE_COUNTS, "calibration", "calibrated_samples")
        if sha256 is None or count is None:
            return
        named = str(stated(self.baseline, "dataset", "captions"))
        texts = _CaptionSearch(self.now.case, Prefix(count, sha256), named, known)
        counts = self._counts(count)
        captions = None
        if not texts.same:
            older = texts.older(scratch)
            if older is None:
                why = f"no text here begins with the {count} captions of the baseline; give it with --captions FILE"
                self.untested.append(Untested(CAPTIONS, texts.named, texts.file.name, why))
            else:
                captions = Factor(CAPTIONS, older.name, texts.file.name, lambda setup: _reading(setup, older))
                if counts is not None and min(older.count, texts.longest.count) < max(count, texts.samples):
                    self._add(_joined(captions, counts))
                    return
        if captions is not None:
            self._add(captions)
        if counts is not None and texts.longest.count < count:
            why = f"{texts.longest.name} has {texts.longest.count} captions only"
            self.untested.append(Untested(counts.name, counts.old, counts.new, why))
        elif counts is not None:
            self.now = _reading(self.now, texts.longest)
            self._add(counts)

    def _counts(self, old: int) -> Factor | None:
        case = self.now.case
        new, new_size = case.dataset.samples(case.size), case.autoquant.score_size
        old_size = stated(self.baseline, "scheme", "auto_quantize_score_size") or new_size
        if (old, old_size) == (new, new_size):
            return None

        def set_back(setup: Setup) -> Setup:
            counted = setup.with_settings("dataset", size_to_max_samples={case.size: old}, max_calib_samples=None)
            return counted.with_settings("autoquant", score_size=old_size)

        return Factor(SAMPLE_COUNTS, _counted(old, old_size), _counted(new, new_size), set_back)

    def _add(self, factor: Factor) -> None:
        """Take a difference as testable if its older value is one that can be set here."""
        try:
            factor.set_back(self.now)
        except ValueError as error:
            self.untested.append(Untested(factor.name, factor.old, factor.new, f"cannot be set here: {error}"))
        else:
            self.factors.append(factor)

    def _check_format(self, resolved: ResolvedFormat) -> None:
        from auto_quantize_model.precision.capability import check_format, find_device

        case = self.now.case
        try:
            check_format(resolved, find_device(case.autoquant.device, case.model.devices))
        except NotCoveredError:
            if self.now.engine == "replay":
                raise

    def _section(self, section: Section) -> Any:
        return getattr(self.now.case, section)

    def _stated(self, name: str, section: str, key: str) -> Any:
        found = stated(self.baseline, section, key)
        if found is None and name not in self.unstated:
            self.unstated.append(name)
        return found


class _CaptionSearch:
    """The present captions of a case, and where their older version may lie."""

    def __init__(self, case: Case, old: Prefix, named: str, known: Texts) -> None:
        self.file = case.captions_file
        self.named = named
        self._known = known
        self.samples = case.dataset.samples(case.size)
        self._old = old
        captions = first_captions(self.file, read_captions(self.file), self.samples, case.size)
        present = Prefix(self.samples, captions_sha256(captions))
        # A size's file may be a prefix of a longer one, which then answers for more captions.
        self.longest = find_among(present, [self.file, *self._beside()]) or CaptionFile(
            self.file, self.file.name, len(captions)
        )
        self.same = old.begins(read_captions(self.longest.path))

    def older(self, scratch: Path) -> CaptionFile | None:
        """The older text: the one that the user names, or one that lies beside, or one of the git history."""
        given = self._known.given
        if given is not None:
            found = find_among(self._old, [given])
            if found is None:
                raise InputError(
                    f"--captions {given}: its first {self._old.count} captions are not those of the baseline; their "
                    f"SHA-256 must be {self._old.sha256}"
                )
            return found
        found = find_among(self._old, self._beside())
        for name in dict.fromkeys((self.named, self.file.name)):
            found = found or find_in_history(self._old, self.file.with_name(name), scratch)
        return found

    def _beside(self) -> Iterator[Path]:
        folders = (self.file.parent, *self._known.folders, builtin_folder() / "data")
        for folder in dict.fromkeys(each.resolve() for each in folders):
            yield from sorted(folder.glob("*.txt"))


def _reading(setup: Setup, file: CaptionFile) -> Setup:
    """The setup with its captions out of one file, whatever the size."""
    braced = file.path.name.replace("{", "{{").replace("}", "}}")
    return setup.with_settings("dataset", root=file.path.parent.resolve(), captions_path=braced)


def _joined(captions: Factor, counts: Factor) -> Factor:
    """Both as one cause: one of the texts is too short for the other's number of captions."""
    return Factor(
        f"{captions.name} and {counts.name}",
        f"{captions.old}: {counts.old}",
        f"{captions.new}: {counts.new}",
        lambda setup: counts.set_back(captions.set_back(setup)),
    )


def _counted(samples: int, score_size: int) -> str:
    return f"{samples} calibrated, score size {score_size}"


def _called(name: str, sha256: str) -> str:
    return f"{name} ({sha256[:8]})"
