"""What a request that brought no answer means for the effects in it, and for the run."""

from __future__ import annotations

from syncline.destinations.api.answers import Verdict
from syncline.destinations.calls import Calls, Operation
from syncline.errors import (
    AuthError,
    BodyError,
    BrokenBodyError,
    CertificateError,
    CircuitOpenError,
    DeferredError,
    ForbiddenError,
    OriginError,
    RateLimitedError,
    RequestError,
    ServerError,
    SynclineError,
    TransportError,
    WriteError,
)

NEVER_SENT = (AuthError, CircuitOpenError, DeferredError, CertificateError, RateLimitedError)


def verdict_of(error: SynclineError, operation: Operation, target: Calls, *, told_by_status: bool) -> Verdict:
    """What is known of the effects after this error; those that end the run are raised again.

    `told_by_status`: a status of success says that it is done, whatever became of the body.
    """
    if isinstance(error, RateLimitedError):
        return Verdict(fate="refused", status=error.status, reason=error.what, error=error)
    if isinstance(error, ServerError):
        return _of_server_error(error, target)
    if isinstance(error, TransportError) and not isinstance(error, CertificateError):
        return Verdict(fate="unknown" if error.sent else "refused", reason=error.what, error=error)
    if isinstance(error, BodyError):
        if told_by_status and operation != "create" and error.status is not None and 200 <= error.status < 300:
            # what the answer would have told besides is not needed
            return Verdict(fate="confirmed", status=error.status)
        again = isinstance(error, BrokenBodyError)
        return Verdict(fate="unknown", reason=error.what, error=error, again=again)
    raise error


def _of_server_error(error: ServerError, target: Calls) -> Verdict:
    policy = target.on_status.get(error.status or 0)
    reason = f"{error.what}: {error.evidence}" if error.evidence else error.what
    if policy == "reject":
        return Verdict(fate="rejected", reason=reason, status=error.status)
    if policy == "ignore":
        return Verdict(fate="confirmed", status=error.status)
    if policy == "fail":
        raise error
    return Verdict(fate="unknown", reason=reason, error=error)


def surely_undone(error: SynclineError, *, harmless: bool) -> bool:
    """Whether a request that is sent at most once had no effect. One that is repeated may have had it before this error came."""
    if harmless:
        return False
    return isinstance(error, NEVER_SENT) or (isinstance(error, OriginError) and error.status in (301, 302))


def told_of(error: SynclineError) -> SynclineError:
    """The error as the run tells it: whose API it was, and that of the destination where it is neither credentials nor a limit."""
    if not isinstance(error, RequestError):
        return error
    if isinstance(error, AuthError | ForbiddenError | DeferredError):
        return error.at(end="destination")
    where = {name: value for name, value in error.where.items() if name != "status"}
    return WriteError(error.what, hint=error.hint, evidence=error.evidence, cause=error.cause, **where).at(
        end="destination", status=error.status
    )
