"""JSON files with typed models: a mistake is reported with its key, and a file is always written whole."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import core_schema

from harness.errors import UserError, nearest
from harness.files import keys_of, model_at, write_atomic
from harness.raw import countable, read_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydantic import JsonValue
    from pydantic_core import ErrorDetails

SCHEMA = "schema"
"""Key of a file's schema version."""


class Record(BaseModel):
    """A JSON object whose keys and types are all known; the text under each field goes into its JSON Schema."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        populate_by_name=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )


class _Written:
    """How JSON, which knows neither nan nor inf, holds any number."""

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> core_schema.CoreSchema:
        """In JSON a finite number, null, or the text "inf" or "-inf"; in Python any float."""
        written = core_schema.union_schema(
            [
                core_schema.float_schema(allow_inf_nan=False, strict=True),
                core_schema.no_info_after_validator_function(lambda _: math.nan, core_schema.none_schema()),
                core_schema.no_info_after_validator_function(
                    float, core_schema.literal_schema(["inf", "-inf"])
                ),
            ],
            mode="left_to_right",
        )
        return core_schema.json_or_python_schema(
            json_schema=written,
            python_schema=core_schema.float_schema(strict=True, allow_inf_nan=True),
            serialization=core_schema.plain_serializer_function_ser_schema(_written, when_used="json"),
        )


def _written(value: float) -> float | str | None:
    if math.isfinite(value):
        return value
    return None if math.isnan(value) else str(value)


Number = Annotated[float, _Written]
"""A number that may be infinite (``"inf"`` in the file) or not exist (null in the file, nan here)."""

R = TypeVar("R", bound=Record)


def read(
    path: Path,
    model: type[R],
    *,
    hint: str,
    older: Callable[[dict[str, JsonValue]], dict[str, JsonValue]] | None = None,
) -> R:
    """A file as ``model``; whatever is wrong with it is one ``UserError``.

    Args:
        path: the file.
        model: what it holds.
        hint: the next command where it cannot be used.
        older: turns the data of an older schema into the present one's.
    """
    return from_text(read_text(path), str(path), model, hint=hint, older=older)


def from_text(
    text: str,
    where: str,
    model: type[R],
    *,
    hint: str,
    older: Callable[[dict[str, JsonValue]], dict[str, JsonValue]] | None = None,
) -> R:
    """A file's text as ``model``, as ``read`` does."""
    countable(text, where)
    try:
        return model.model_validate_json(text)
    except ValidationError as err:
        mistake = _mistake(where, model, err, hint)
    data = _parsed(text)
    if not isinstance(data, dict):
        raise mistake
    version = data.get(SCHEMA)
    newest = _newest(model)
    if isinstance(version, int) and version > newest:
        raise UserError(
            "a file of a newer schema",
            where=f"{where}:{SCHEMA}",
            found=version,
            expected=f"{newest} or older",
            hint="pip install -U distalign",
        )
    if older is None or version == newest:
        raise mistake
    try:
        return model.model_validate_json(json.dumps(older(data)))
    except ValidationError as err:
        raise _mistake(where, model, err, hint) from None


def write(path: Path, record: Record) -> None:
    """Write a record whole or not at all."""
    write_atomic(path, to_text(record))


def to_text(record: Record) -> str:
    """A record as its file holds it."""
    data = record.model_dump(mode="json", by_alias=True)
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _parsed(text: str) -> JsonValue:
    try:
        data: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data


def _newest(model: type[Record]) -> int:
    field = next((f for f in model.model_fields.values() if f.alias == SCHEMA), None)
    return int(field.default) if field else 0


def _mistake(file: str, model: type[Record], err: ValidationError, hint: str) -> UserError:
    first: ErrorDetails = err.errors(include_url=False)[0]
    loc, found = first["loc"], first["input"]
    where = ":".join((file, *([".".join(map(str, loc))] if loc else [])))
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return UserError(f"not valid JSON: {message}", where=file, expected="a JSON object", hint=hint)
    if first["type"] == "extra_forbidden":
        known = keys_of(model_at(model, loc[:-1]))
        name = str(loc[-1])
        return UserError(
            f"unknown key {name!r}",
            where=where,
            found=found,
            expected="one of " + ", ".join(known),
            nearest=nearest(name, known),
            hint=hint,
        )
    if first["type"] == "unexpected_keyword_argument":
        return UserError(f"unknown key {str(loc[-1])!r}", where=where, found=found, hint=hint)
    if first["type"] == "missing":
        return UserError(f"missing key {str(loc[-1])!r}", where=where, expected=str(loc[-1]), hint=hint)
    return UserError(
        "not what belongs here",
        where=where,
        found=found,
        expected=message.removeprefix("Input should be "),
        hint=hint,
    )
