"""A case and everything about a run of it that can be set, so that single settings can be set back."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

if TYPE_CHECKING:
    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.comparison.known_causes import Section
    from auto_quantize_model.engines import EngineName


@dataclasses.dataclass(frozen=True, slots=True)
class Setup:
    """What one run of a case is given."""

    case: Case
    engine: EngineName

    def with_settings(self, section: Section, **values: Any) -> Setup:
        """The same with other values in one section of the case; a value that cannot be there is a `ValueError`."""
        settings = getattr(self.case, section)
        present = {name: getattr(settings, name) for name in type(settings).model_fields}
        try:
            changed = type(settings).model_validate({**present, **values})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        return dataclasses.replace(self, case=dataclasses.replace(self.case, **{section: changed}))
