"""When to send (limits), when to send again (retry), when to stop sending (breaker). Rules only: they are given the time."""

from syncline.resilience.breaker import Breaker, Circuit, CircuitBreaker, Outage
from syncline.resilience.concurrency import Concurrency
from syncline.resilience.headers import LONGEST, Told, rate_limited, retry_after
from syncline.resilience.limiter import GO, Hold, Limiter, Standing
from syncline.resilience.limiters import Limiters, Load, Ticket
from syncline.resilience.limits import Cost, Limits, LimitsField, PathLimits
from syncline.resilience.retry import Again, Retry, RetryBudget
from syncline.resilience.spellings import read_limits

__all__ = [
    "GO",
    "LONGEST",
    "Again",
    "Breaker",
    "Circuit",
    "CircuitBreaker",
    "Concurrency",
    "Cost",
    "Hold",
    "Limiter",
    "Limiters",
    "Limits",
    "LimitsField",
    "Load",
    "Outage",
    "PathLimits",
    "Retry",
    "RetryBudget",
    "Standing",
    "Ticket",
    "Told",
    "rate_limited",
    "read_limits",
    "retry_after",
]
