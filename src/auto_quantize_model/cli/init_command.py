"""`init`: a suite for a checkpoint, ready to run."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.cases.settings import FAMILIES
from auto_quantize_model.cases.suite import load_suite
from auto_quantize_model.errors import InputError, one_line
from auto_quantize_model.paths import display_path
from auto_quantize_model.summary.data_line import data_line
from auto_quantize_model.whole_files import write_files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

_DTYPES = ("float32", "bfloat16", "float16")
_DEFAULT_DTYPE = "bfloat16"
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_IGNORED = ("tmp/", "models/*/layer-analysis/.publishing/", "models/*/checkpoint/")
_TEST = """\
def test_sensitivity(sensitivity_case):
    sensitivity_case.check_baseline()


def test_reports(sensitivity_baseline):
    sensitivity_baseline.check_reports()
"""


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "init",
        help="Write a suite for a checkpoint",
        description="Write a suite for a checkpoint: suite.yaml, the model's model.yaml, a test file and lines of "
        ".gitignore. Nothing that is there is written over.",
    )
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help="A folder of safetensors, a GGUF file, or a name on the Hugging Face hub",
    )
    parser.add_argument("--name", help="What the suite calls the model (default: from the checkpoint's name)")
    parser.add_argument("--family", choices=FAMILIES, help="How transformers loads it (default: from its config)")
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="DIR", help="Folder of the suite (default: here)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the suite, load it again to be sure, and say what to type next."""
    checkpoint, folder = str(arguments.checkpoint), arguments.output
    config, place = _described(checkpoint)
    name = arguments.name or _name(checkpoint)
    if not _NAME.fullmatch(name):
        raise InputError(f"--name {name!r}: a name is of letters, digits, '_', '.' and '-'")
    model = {"family": arguments.family or _family(config, checkpoint), **place, "dtype": _dtype(config)}
    files = {
        folder / "suite.yaml": f"models: [{name}]\n",
        folder / "models" / name / "model.yaml": _yaml(model),
        folder / f"test_{re.sub(r'[^A-Za-z0-9]', '_', name)}.py": _TEST,
    }
    taken = [file for file in files if file.exists()]
    if taken:
        raise InputError(f"{display_path(taken[0])}: is there already; give --output another folder, or --name")
    for file, text in files.items():
        write_files(file.parent, {file.name: text})
    _ignore(folder / ".gitignore")
    suite = load_suite(folder / "suite.yaml")
    sys.stdout.writelines(f"wrote {display_path(file)}\n" for file in (*files, folder / ".gitignore"))
    where = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    sys.stdout.write(
        f"{len(suite.cases)} cases. What is missing here:  {where}python -m auto_quantize_model doctor\n"
        f"The first baselines:             {where}pytest -k '{name} and small' --publish\n"
    )
    data = data_line(suite)
    if data is not None:
        sys.stdout.write(f"It {data}.\n")
    return 0


def _described(checkpoint: str) -> tuple[Mapping[str, Any] | None, dict[str, str]]:
    """The checkpoint's config, where one can be read, and the lines of model.yaml that say where it is."""
    path = Path(checkpoint).expanduser()
    if path.is_dir():
        return _read(path / "config.json"), {"path": str(path.absolute())}
    if path.is_file():
        if path.suffix != ".gguf":
            raise InputError(f"{checkpoint}: neither a folder nor a GGUF file; give the folder that config.json is in")
        return None, {"path": str(path.absolute())}
    if not _HUB_NAME.fullmatch(checkpoint):
        raise InputError(f"{checkpoint!r}: no such folder, and no name on the Hugging Face hub, which is OWNER/NAME")
    return _read(_of_hub(checkpoint)), {"hub_id": checkpoint}


def _of_hub(name: str) -> Path:
    """The config of a model on the hub: a small file, taken from the cache where it is there."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(hf_hub_download(name, "config.json"))
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = f"its config.json cannot be had: {one_line(error)}"
        raise InputError(f"{name}: {reason}; log in (hf auth login), or give a folder") from None


def _read(file: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; give the folder of a checkpoint") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise InputError(f"{file}: is no mapping of keys; download the checkpoint again")
    return config


def _family(config: Mapping[str, Any] | None, checkpoint: str) -> str:
    if config is None:
        return "causal_lm"  # the only one that reads GGUF
    from auto_quantize_model.checkpoints.architectures import family_of

    model_type = config.get("model_type")
    family = family_of(model_type) if isinstance(model_type, str) else None
    if family is None:
        raise InputError(
            f"{checkpoint}: no family loads model_type {model_type!r}; give --family ({', '.join(FAMILIES)})"
        )
    return family


def _dtype(config: Mapping[str, Any] | None) -> str:
    stated = (config or {}).get("dtype", (config or {}).get("torch_dtype"))
    return stated if stated in _DTYPES else _DEFAULT_DTYPE


def _name(checkpoint: str) -> str:
    """A name that suites and folders take."""
    last = Path(checkpoint).expanduser().absolute().name.removesuffix(".gguf")
    name = re.sub(r"[^A-Za-z0-9]+", "_", last).strip("_").lower()
    return name if name and not name[0].isdigit() else f"model_{name}".rstrip("_")


def _yaml(values: Mapping[str, str]) -> str:
    import yaml

    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=1000)


def _ignore(file: Path) -> None:
    """Add the lines that are not there yet."""
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    missing = [line for line in _IGNORED if line not in text.splitlines()]
    if missing:
        start = f"{text}\n" if text and not text.endswith("\n") else text
        write_files(file.parent, {file.name: start + "".join(f"{line}\n" for line in missing)})
