"""When to send (limits), when to send again (retry), when to stop sending (breaker). Rules only: they are given the time."""

from syncline.resilience.breaker import Breaker, CircuitBreaker
from syncline.resilience.headers import LONGEST, Told, rate_limited, read_limits, retry_after
from syncline.resilience.limiter import GO, Hold, Limiter
from syncline.resilience.limits import Limits, LimitsField
from syncline.resilience.retry import Again, Retry, RetryBudget

__all__ = [
    "GO",
    "LONGEST",
    "Again",
    "Breaker",
    "CircuitBreaker",
    "Hold",
    "Limiter",
    "Limits",
    "LimitsField",
    "Retry",
    "RetryBudget",
    "Told",
    "rate_limited",
    "read_limits",
    "retry_after",
]
