"""What the refusals of Azure Blob Storage mean.

Their own text is never repeated, as it may show the signature of a SAS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)

from airloom.errors import NotFound, StoreUnavailable


class ConditionFailed(Exception):
    """The blob is not as a conditional request wants it: it is there already, or has changed."""


class BlocksLost(Exception):
    """Blocks that were staged are gone, because another writer of the same blob came first."""


_OUTCOMES: dict[str, type[Exception]] = {
    "BlobAlreadyExists": ConditionFailed,
    "ConditionNotMet": ConditionFailed,
    "InvalidBlockList": BlocksLost,
    "LeaseAlreadyPresent": ConditionFailed,
    "LeaseIdMismatchWithBlobOperation": ConditionFailed,
    "LeaseIdMismatchWithLeaseOperation": ConditionFailed,
    "LeaseIdMissing": ConditionFailed,
    "LeaseLost": ConditionFailed,
    "LeaseNotPresentWithBlobOperation": ConditionFailed,
    "LeaseNotPresentWithLeaseOperation": ConditionFailed,
}


@dataclass(frozen=True)
class Place:
    """A container as errors speak of it: `name` is how they call it, `item` what they call a blob in it.

    `mend` says where its credentials are, `renew` where its SAS is, which ends at `expiry`.
    """

    name: str
    item: str
    target: str
    account: str
    container: str
    mend: str
    renew: str
    expiry: datetime | None = None


@contextmanager
def told_of(place: Place, key: str = "") -> Iterator[None]:
    """Turn the service's errors into Airloom's."""
    try:
        yield
    except HttpResponseError as error:
        if isinstance(error, ClientAuthenticationError) and error.response is None and not hasattr(error, "error_code"):
            raise _nobody(place) from None
        raise _answered(place, key, error, _code(error)) from None
    except AzureError as error:
        raise unavailable(
            place,
            f"it cannot be reached ({_reason(error)})",
            "Check the name of the account and the network, then try again.",
        ) from None


def _answered(place: Place, key: str, error: HttpResponseError, code: str) -> Exception:
    absent = isinstance(error, ResourceNotFoundError)
    refused = isinstance(error, ClientAuthenticationError) or error.status_code in (401, 403)
    return meaning(place, key, code, absent=absent, refused=refused, status=str(error.status_code))


def meaning(place: Place, key: str, code: str, *, absent: bool, refused: bool, status: str) -> Exception:
    """The error for an answer of the service, whose own word for it is `code`."""
    if code in _OUTCOMES:
        return _OUTCOMES[code]()
    if code == "ContainerNotFound":
        return unavailable(
            place,
            f"the account {place.account!r} has no container {place.container!r}",
            f"Make it (az storage container create --account-name {place.account} --name {place.container}) "
            "or correct the address of the store.",
        )
    if absent:
        return NotFound(f"{place.name} has no {place.item} {key!r}.", target=key)
    if refused:
        return _refused(place, code)
    return unavailable(place, f"the service answers {status} ({code})", "Try again later.")


def _refused(place: Place, code: str) -> StoreUnavailable:
    if place.expiry is not None and place.expiry < datetime.now(UTC):
        return unavailable(place, f"the SAS expired at {place.expiry.isoformat()} ({code})", f"Renew {place.renew}.")
    return unavailable(
        place,
        f"it refuses the credentials ({code})",
        f"Check {place.mend}, and the rights they give: to read, write, delete and list.",
    )


def _nobody(place: Place) -> StoreUnavailable:
    """No request was sent, as nobody was found to send it for."""
    return StoreUnavailable(
        f"There are no credentials for the storage account {place.account!r}.",
        hint=f"Set {place.mend}; neither this machine nor its user has an identity that Azure gave it.",
        target=place.account,
    )


def unavailable(place: Place, cause: str, hint: str) -> StoreUnavailable:
    """The error for a container that cannot be used."""
    return StoreUnavailable(f"{place.name} cannot be used: {cause}.", hint=hint, target=place.target)


def sas_expiry(text: str) -> datetime | None:
    """When a SAS ends, which may be a part of a text. The service does not tell, least of all without a body."""
    found = re.search(r"[?&;=]se=([^&;]+)", f"?{text}")
    if found is None:
        return None
    try:
        expiry = datetime.fromisoformat(unquote(found.group(1)))
    except ValueError:
        return None
    return expiry if expiry.tzinfo else expiry.replace(tzinfo=UTC)


def _code(error: HttpResponseError) -> str:
    """The service's own word for what was wrong."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or type(error).__name__)


def _reason(error: BaseException) -> str:
    """The innermost cause in the operating system's words; never the text of the request."""
    reason = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            reason = cause.strerror
        inner = (*cause.args, getattr(cause, "reason", None), getattr(cause, "inner_exception", None))
        nested = next((part for part in inner if isinstance(part, BaseException)), None)
        cause = nested or cause.__cause__ or cause.__context__
    return reason
