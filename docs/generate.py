"""What of `docs/` is generated: the manifest's keys from its JSON Schema, the options from where they are declared."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.cli import build_parser
from auto_quantize_model.options import IN_PYTEST, PUBLISH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auto_quantize_model.options import Option

DOCS = Path(__file__).resolve().parent
SCHEMA = DOCS.parent / "src" / "auto_quantize_model" / "manifest" / "schema.json"

_MANIFEST_HEAD = """\
# The manifest

A case's manifest, `<scheme>_quant_manifest.json`, is the JSON with everything about the case; the reports are functions
of it. A value that does not exist is `null`: JSON has no NaN, and a group's `status` says why it has no score. A
committed manifest has no absolute path, time stamp or host name.

`<layer>` and `<group>` are names of the model, `[]` is each element of a list. Manifests of older tools have some of
these keys, and no `schema_version`; `report`, `compare` and `explain` read them too, and compare what both sides state.

This page is generated from [schema.json](../src/auto_quantize_model/manifest/schema.json) by `python docs/generate.py`.
"""
_MAPS = {"layers": "<layer>", "layer_sensitivity": "<group>"}
"""Mappings whose keys are names of the model."""


def manifest_page(schema: Mapping[str, Any]) -> str:
    """The page of the manifest's keys."""
    lines = [_MANIFEST_HEAD]
    for name, node in schema["properties"].items():
        lines += [f"## `{name}`", "", *_section(name, node), ""]
    return "\n".join(lines)


def _section(name: str, node: Mapping[str, Any]) -> Iterator[str]:
    yield f"{node['description']} ({_type(node)})"
    rows = list(_rows(name, node))
    if rows:
        yield ""
        yield "| key | type | meaning |"
        yield "| --- | --- | --- |"
        yield from rows


def _rows(path: str, node: Mapping[str, Any]) -> Iterator[str]:
    for name, inner in _inner(path, node).items():
        yield f"| `{name}` | {_type(inner)} | {inner['description']} |"
        yield from _rows(name, inner)


def _inner(path: str, node: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What has a row of its own below a key."""
    if path in _MAPS:
        return {f"{path}.{_MAPS[path]}": node["additionalProperties"]}
    if "properties" in node:
        return {f"{path}.{name}": inner for name, inner in node["properties"].items()}
    if "properties" in node.get("items", {}):
        return {f"{path}[].{name}": inner for name, inner in node["items"]["properties"].items()}
    return {}


def _type(node: Mapping[str, Any]) -> str:
    if "const" in node:
        return f"`{json.dumps(node['const'])}`"
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return ", or ".join(_kind(kind, node) for kind in kinds)


def _kind(kind: str, node: Mapping[str, Any]) -> str:
    if kind == "array":
        length = _range(node.get("minItems"), node.get("maxItems"))
        inner = "object" if "properties" in node["items"] else _type(node["items"])
        return f"list{length and f' of {length}'}: {inner}"
    if kind in ("integer", "number"):
        over = node.get("exclusiveMinimum")
        return " ".join([kind, *([f"over {over}"] if over is not None else []), _span(node)]).strip()
    return kind


def _span(node: Mapping[str, Any]) -> str:
    least, most = node.get("minimum"), node.get("maximum")
    if least is not None and most is not None:
        return f"from {least} to {most}"
    return f"from {least}" if least is not None else "" if most is None else f"up to {most}"


def _range(least: int | None, most: int | None) -> str:
    """How long a list is; nothing where it does not matter whether it is empty."""
    if least is None or (least == 1 and most is None):
        return ""
    return str(least) if least == most else f"{least} to {most}" if most else f"{least} or more"


def pytest_options() -> str:
    """The table of the plugin's options."""
    short = (PUBLISH.flag, PUBLISH.help)
    long = (PUBLISH.pytest_flag, f"The same as {PUBLISH.flag}, where another plugin owns that name")
    return _table("option", [short, long, *(_of_pytest(option) for option in IN_PYTEST)])


def _of_pytest(option: Option) -> tuple[str, str]:
    value = option.metavar or ("" if option.choices is None else f"{{{','.join(option.choices)}}}")
    return f"{option.pytest_flag} {value}".strip(), option.help % {"default": option.default}


def command_options() -> str:
    """A table of what may come before a subcommand, and one for each subcommand: what it takes."""
    whole = build_parser()
    tables = [f"Before the command:\n\n{_table('argument', list(_of_command(whole)))}"]
    tables += [
        f"**`{_name(parser)}`**: {parser.description}\n\n{_table('argument', list(_of_command(parser)))}"
        for parser in _subcommands(whole)
    ]
    return "\n".join(tables)


def _name(parser: argparse.ArgumentParser) -> str:
    """A subcommand, as it is typed after the program."""
    return parser.prog.removeprefix(f"{build_parser().prog} ")


def _subcommands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Those that run something, in the order of the help."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser
    for action in below:
        for inner in action.choices.values():
            yield from _subcommands(inner)


def _of_command(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            yield _usage(action), str(action.help) % {"default": action.default}


def _usage(action: argparse.Action) -> str:
    value = action.metavar or ("" if action.choices is None else f"{{{','.join(action.choices)}}}")
    if action.nargs == 0:
        value = ""
    elif action.option_strings:
        value = value or action.dest.upper()
    return " ".join([*action.option_strings[:1], str(value)]).strip()


def _table(first: str, rows: list[tuple[str, str]]) -> str:
    lines = [f"| {first} | meaning |", "| --- | --- |", *(f"| `{usage}` | {text} |" for usage, text in rows)]
    return "".join(f"{line}\n" for line in lines)


_PARTS = {"pytest options": pytest_options, "command line": command_options}


def with_parts(page: str) -> str:
    """A page with its generated parts, which lie between marks, as they should be."""
    for name, generate in _PARTS.items():
        begin, end = f"<!-- generated: {name} -->\n", "<!-- end -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{generate()}\n{end}{rest.partition(end)[2]}"
    return page


def generated() -> dict[Path, str]:
    """Every page that is generated, in whole or in part, as it should be."""
    suite = DOCS / "suite.md"
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return {DOCS / "manifest.md": manifest_page(schema), suite: with_parts(suite.read_text(encoding="utf-8"))}


def main() -> None:
    """Write the pages."""
    for file, text in generated().items():
        file.write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {file.relative_to(DOCS.parent)}\n")


if __name__ == "__main__":
    main()
