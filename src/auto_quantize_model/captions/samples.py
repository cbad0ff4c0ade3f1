"""What calibrates: a text or a conversation, how a record of a file becomes one, and the hash of many."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Form = Literal["text", "messages"]


class Message(NamedTuple):
    """What one of a conversation's parties says."""

    role: str
    content: str


@dataclasses.dataclass(frozen=True, slots=True)
class Chat:
    """A conversation; the tokenizer's chat template makes a text of it."""

    messages: tuple[Message, ...]

    @property
    def as_json(self) -> list[dict[str, str]]:
        """The messages as chat templates take them."""
        return [message._asdict() for message in self.messages]


Sample = str | Chat
"""What a caption is to the engine, wherever it was read from."""
SampleT = TypeVar("SampleT", bound=Sample)


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """Where in a record its sample is, and what it is."""

    name: str = "text"
    """The key of a JSON object, or the column of a table."""
    form: Form = "text"

    def of(self, record: Mapping[str, Any], place: str) -> Sample:
        """The sample of a record; `place` says in errors where the record is."""
        if self.name not in record:
            raise InputError(
                f"{place}: no key '{self.name}'; {nearest(self.name, record)}; "
                f"dataset.{self.form}_key names the one that holds the {self.form}"
            )
        return self.checked(record[self.name], place)

    def checked(self, value: object, place: str) -> Sample:
        """What is under the key, if that is a sample."""
        return _text(self.name, value, place) if self.form == "text" else _chat(self.name, value, place)


def length(sample: Sample) -> int:
    """How many characters a sample has; of a conversation, its messages' together."""
    return len(sample) if isinstance(sample, str) else sum(len(message.content) for message in sample.messages)


def is_blank(sample: Sample) -> bool:
    """Whether there is nothing in a sample to calibrate on."""
    texts = [sample] if isinstance(sample, str) else [message.content for message in sample.messages]
    return not any(text.strip() for text in texts)


def first_captions(
    where: Path | str, captions: Sequence[SampleT], needed: int, size: str, whose: str = ""
) -> list[SampleT]:
    """Return the captions that a size takes; too few of them are an error, never a smaller sample.

    `whose` says which captions count, where not all do.
    """
    if len(captions) < needed:
        raise InputError(
            f"{where}: size '{size}' needs {needed} captions, but the file has {len(captions)}{whose}; "
            "add captions, or lower the number in the suite's sizes or dataset.size_to_max_samples"
        )
    return list(captions[:needed])


def captions_sha256(captions: Sequence[Sample]) -> str:
    """Return the SHA-256 of captions as a file of lines would hold them; what is more than a line, as JSON."""
    return hashlib.sha256(("\n".join(map(_line, captions)) + "\n").encode()).hexdigest()


def _line(sample: Sample) -> str:
    if isinstance(sample, str):
        return _canonical(sample) if "\n" in sample else sample
    return _canonical({"messages": sample.as_json})


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(name: str, value: object, place: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{place}: '{name}' is {_kind(value)}, not a text")
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON may escape half a surrogate pair
        raise InputError(f"{place}: '{name}' is not valid Unicode text") from None
    return value


def _chat(name: str, value: object, place: str) -> Chat:
    if not isinstance(value, list):
        raise InputError(f"{place}: '{name}' is {_kind(value)}, not a list of messages")
    return Chat(tuple(_message(f"{name}[{number}]", message, place) for number, message in enumerate(value)))


def _message(name: str, value: object, place: str) -> Message:
    if not isinstance(value, dict):
        raise InputError(f"{place}: '{name}' is {_kind(value)}, not a message with role and content")
    for key in Message._fields:
        if key not in value:
            raise InputError(f"{place}: '{name}' has no '{key}'; a message has role and content")
    # A table has every key in every row, and no value in most.
    others = [key for key, inner in value.items() if key not in Message._fields and inner is not None]
    if others:
        raise InputError(f"{place}: '{name}' has '{others[0]}' too; a message has role and content, and nothing else")
    return Message(*(_text(f"{name}.{key}", value[key], place) for key in Message._fields))


def _kind(value: object) -> str:
    """What a value is, in JSON's words."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    kinds = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds.get(type(value), f"of type {type(value).__name__}")
