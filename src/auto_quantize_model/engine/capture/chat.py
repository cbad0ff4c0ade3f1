"""Conversations as the text that a model was trained on: the tokenizer's chat template renders them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import InputError, one_line

if TYPE_CHECKING:
    from auto_quantize_model.captions.samples import Chat

_ANY_DAY = dt.datetime(2024, 7, 26, tzinfo=dt.UTC)
"""What templates that write today's date are told: scores must not depend on the day."""


def rendered(chat: Chat, tokenizer: Any, model: str) -> str:
    """The text of a conversation, with the special tokens that the template puts into it."""
    if not tokenizer.chat_template:
        raise InputError(
            f"model '{model}': its tokenizer has no chat template, which messages need; put chat_template.jinja "
            "beside the checkpoint's tokenizer, or calibrate on texts (dataset.text_key)"
        )
    try:
        text: str = tokenizer.apply_chat_template(chat.as_json, tokenize=False, strftime_now=_ANY_DAY.strftime)
    except Exception as error:  # noqa: BLE001  a template may raise anything
        said = " ".join(f"{message.role}: {message.content}" for message in chat.messages)
        raise InputError(
            f"model '{model}': its chat template refuses the conversation '{said[:60]}': {one_line(error, 200)}"
        ) from None
    return text
