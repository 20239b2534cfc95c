"""
What every body of a request has in common, and what every endpoint's documentation says of faults.

In:  a class of the fields that may be asked.   Out: one whose faults are found in milliseconds, whatever is sent: a
body of a megabyte may hold 100,000 unknown fields or 500,000 numbers that should be texts, and a fault for each of them
would keep everybody waiting for seconds.
"""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from hanpuri.serving.faults import Fault

MAX_FIELDS = 50


def _check_whole(text: str | None) -> str | None:
    r"""
    Refuse half a surrogate pair: JSON can write it as "\ud800", but no answer could hold it.

        >>> _check_whole("\ud800")
        Traceback (most recent call last):
        ValueError: found half a surrogate pair at character 0, expected text
    """
    try:
        (text or "").encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"found half a surrogate pair at character {error.start}, expected text") from None
    return text


def _check_all_whole(texts: list[str] | None) -> list[str] | None:
    try:
        "".join(texts or ()).encode()  # much faster than one after the other
    except UnicodeEncodeError:
        for number, text in enumerate(texts or (), start=1):
            try:
                _check_whole(text)
            except ValueError as error:
                raise ValueError(f"text {number}: {error}") from None
    return texts


Text = Annotated[str | None, AfterValidator(_check_whole)]
"""A text, if there is one."""
GivenText = Annotated[str, AfterValidator(_check_whole)]
"""A text that has to be there."""
Texts = Annotated[list[str] | None, Field(fail_fast=True), AfterValidator(_check_all_whole)]
"""Texts, if there are any; of those that are none, the first is told."""


class Asked(BaseModel):
    """The base of all that can be asked; a field that there is not is a fault, and so is "1" in the place of 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _check_number(cls, sent: Any) -> Any:
        if isinstance(sent, dict) and len(sent) > MAX_FIELDS:
            raise ValueError(f"found {len(sent):,} fields, expected {len(cls.model_fields)} at most")
        return sent


def check_one(text: str | None, texts: list[str] | None) -> None:
    """
    Check that one text is asked for, or many.

    Raises:
        ValueError: if it is neither or both.
    """
    if (text is None) == (texts is None):
        raise ValueError(f"found {'neither text nor' if text is None else 'both text and'} texts, expected one")


FAULTS: Final = {
    400: "The body cannot be read as JSON.",
    401: "There is no key in the header Authorization, or it is wrong.",
    404: "There is no such model.",
    413: "The body is too long.",
    415: "The body is not JSON.",
    422: "The request does not fit: a field, or the number or the length of the texts.",
    429: "The service is busy, or this key asks too often: come again after the seconds in Retry-After.",
    503: "A language model does not answer, or the service ends: come again after the seconds in Retry-After.",
}


def documented_faults(*without: int) -> dict[int | str, dict[str, Any]]:
    """Describe what else an endpoint may answer, for its documentation; all but the statuses in `without`."""
    return {status: {"model": Fault, "description": what} for status, what in FAULTS.items() if status not in without}
