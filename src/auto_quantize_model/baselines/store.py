"""Where a case's baseline lies, and reading it. Nothing here moves or writes a file."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from auto_quantize_model.artifacts import MANIFEST_SUFFIX
from auto_quantize_model.baselines.folders import whereabouts
from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.document import UnknownVersionError, parse_manifest
from auto_quantize_model.manifest.older import is_older
from auto_quantize_model.manifest.probe_sums import SUFFIX, disagreement, parse_probe_sums
from auto_quantize_model.manifest.schema import SCHEMA_VERSION
from auto_quantize_model.whole_files import refuse_links

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from auto_quantize_model.cases.suite import Case

_LOOKS = 3
"""How often a file is looked for that another process may be replacing just now."""


class ForeignBaselineError(InputError):
    """A case's folder holds the baseline of another case."""


def baseline_folder(case: Case) -> Path:
    """The folder of a case's committed artifacts."""
    return case.models_root / case.run_folder


def baseline_manifest(case: Case) -> Path:
    """The file of a case's committed manifest."""
    return baseline_folder(case) / f"{case.pair.scheme_name}{MANIFEST_SUFFIX}"


def baseline_probe_sums(case: Case) -> Path:
    """The file of a case's committed probe sums."""
    return baseline_folder(case) / f"{case.pair.scheme_name}{SUFFIX}"


def probe_sums_problems(case: Case, manifest: Mapping[str, Any], baselines: Baselines) -> Iterator[str]:
    """Why the probe sums beside a committed manifest are not its own, if they are not; an older one has none."""
    file = baseline_probe_sums(case)
    # An interrupted publish may have left it elsewhere.
    file = (whereabouts(file.parent) or file.parent) / file.name
    if is_older(manifest) or manifest.get("predicted_kl") is None or manifest["schema_version"] != SCHEMA_VERSION:
        return
    try:
        problem = disagreement(manifest, parse_probe_sums(baselines.content(file), str(file)))
    except FileNotFoundError:
        yield f"{file}: missing"
    except OSError as error:
        yield f"{file}: cannot be read: {error.strerror}"
    except InputError as error:
        yield str(error)
    else:
        if problem is not None:
            yield f"{file}: {problem}"


def has_baseline(case: Case) -> bool:
    """Whether anything is committed for a case, even if only a part of a baseline."""
    return whereabouts(baseline_folder(case)) is not None


def read_baseline(case: Case) -> dict[str, Any] | None:
    """A case's committed manifest as it is now; None where nothing is committed for the case."""
    return Baselines().manifest(case)


class Baselines:
    """Committed files: each is read once, and each manifest validated once, unless it changes on disk."""

    def __init__(self) -> None:
        self._contents: dict[Path, tuple[tuple[int, int, int], bytes]] = {}
        self._manifests: dict[Path, tuple[bytes, dict[str, Any] | InputError]] = {}

    def content(self, file: Path) -> bytes:
        """The bytes of a file."""
        status = file.stat()
        version = status.st_ino, status.st_mtime_ns, status.st_size
        kept = self._contents.get(file)
        if kept is None or kept[0] != version:
            kept = self._contents[file] = version, file.read_bytes()
        return kept[1]

    def manifest(self, case: Case) -> dict[str, Any] | None:
        """A case's committed manifest, which all who ask share; None where nothing is committed for the case."""
        file = self._file(case)
        if file is None:
            return None
        manifest = self._parsed(file)
        if isinstance(manifest, InputError):
            raise manifest.with_traceback(None)
        stated = manifest["case"]["id"] if "schema_version" in manifest else case.id
        if stated != case.id:
            raise ForeignBaselineError(f"{file}: is of case '{stated}', not of '{case.id}'; move it to its own folder")
        return manifest

    def _file(self, case: Case) -> Path | None:
        """The file of a case's manifest, which has been read; None where there is nothing of a baseline."""
        try:
            for _ in range(_LOOKS):
                folder = whereabouts(baseline_folder(case))
                if folder is None:
                    return None
                file = folder / baseline_manifest(case).name
                refuse_links(case.models_root, file)
                with contextlib.suppress(FileNotFoundError):
                    self.content(file)
                    return file
        except OSError as error:
            reason = f"cannot be read: {error.strerror}; check what it is and who may read it"
            raise InputError(f"{error.filename or baseline_folder(case)}: {reason}") from None
        raise InputError(f"{file}: missing; restore it, remove the whole folder, or publish the case again")

    def _parsed(self, file: Path) -> dict[str, Any] | InputError:
        content = self._contents[file][1]
        kept = self._manifests.get(file)
        if kept is None or kept[0] is not content:
            kept = self._manifests[file] = content, _parse(content, file)
        return kept[1]


def _parse(content: bytes, file: Path) -> dict[str, Any] | InputError:
    try:
        return parse_manifest(content, str(file))
    except UnknownVersionError as error:
        return error
    except InputError as error:
        return InputError(f"{error}; restore it or publish the case again")
