"""Error handling in one place, for the generated client in web_backend_client."""

import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from web_backend_client.models import APIErrorMessage, APIValidationErrorMessage, ValidationFault
from web_backend_client.types import Response

T = TypeVar("T")


def seconds_to_wait(response: Response[Any]) -> int | None:
    seconds = response.headers.get("Retry-After", "")
    return int(seconds) if seconds.isdecimal() else None


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(self, response: Response[Any]) -> None:
        body = response.parsed
        self.status = int(response.status_code)
        # Every fault of the request; only a 422 has some.
        self.faults: list[ValidationFault] = []
        # Seconds to wait before the next try; only some answers have it.
        self.retry_after = seconds_to_wait(response)
        # Finds the request in the server's log.
        self.request_id = response.headers.get("X-Request-ID", "")
        if isinstance(body, APIValidationErrorMessage):
            self.faults = body.detail.errors
        if isinstance(body, APIErrorMessage):
            message = body.detail.error
        elif isinstance(body, APIValidationErrorMessage):
            message = body.message
        else:
            message = f"HTTP Error {self.status}"
        super().__init__(message)


class Refusal(Exception):
    """A refusal of an account operation; its text is for the person, in their language."""

    def __init__(self, message: str, retry_after: int | None) -> None:
        # Seconds to wait before the next try, if there were too many.
        self.retry_after = retry_after
        super().__init__(message)


class Outcome(Protocol):
    """What every account operation answers."""

    @property
    def auth_code(self) -> int: ...
    @property
    def auth_msg(self) -> str: ...


O = TypeVar("O", bound=Outcome)


def answer(response: Response[T | APIErrorMessage | APIValidationErrorMessage]) -> T:
    """Gives what a call was answered with, or raises an ApiError."""
    if response.status_code != 200:
        raise ApiError(response)
    return response.parsed  # type: ignore[return-value]  # a 200 has no error


def outcome(response: Response[O | APIErrorMessage | APIValidationErrorMessage]) -> O:
    """As answer, for account operations: they are answered with status 200 even
    when they refuse, and auth_code tells. Raises a Refusal then."""
    result = answer(response)
    if result.auth_code != 200:
        raise Refusal(result.auth_msg, seconds_to_wait(response))
    return result


def patiently(call: Callable[[], T], tries: int = 3) -> T:
    """Tries again after too many tries (a 429, or a refusal with a time to wait),
    when the server says so. Nothing has happened then: any call may be made again."""
    while True:
        tries -= 1
        try:
            return call()
        except (ApiError, Refusal) as error:
            too_many = error.status == 429 if isinstance(error, ApiError) else error.retry_after is not None
            if not too_many or tries <= 0:
                raise
            time.sleep(error.retry_after or 1)
