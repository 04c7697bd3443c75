"""Shared limits in Redis, for many machines. Needs the extra `redis`."""

from __future__ import annotations

from typing import Any

from syncline.errors import PlanError
from syncline.http.shared_store import STORE_SECONDS, Kept

PREFIX = "syncline:limits:"
KEEP_SECONDS = 2 * 86_400
SWAP = """
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
local time = redis.call('TIME')
if ARGV[3] == '1' and version == tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'version', version + 1, 'value', ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
  return {1, version + 1, false, time[1], time[2]}
end
local newer = version ~= tonumber(ARGV[1]) and redis.call('HGET', KEYS[1], 'value')
return {0, version, newer, time[1], time[2]}
"""


class RedisStore:
    """One hash per name, changed by one script, with the server's clock."""

    def __init__(self, url: str) -> None:
        try:
            from redis.asyncio import Redis  # late: an extra
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise PlanError(
                "rate_limit.shared at redis:// needs a package that is not installed",
                hint="pip install 'syncline[redis]'",
            ) from None
        self._client: Any = Redis.from_url(
            url,
            socket_timeout=STORE_SECONDS,
            socket_connect_timeout=STORE_SECONDS / 2,
            retry=Retry(NoBackoff(), 0),
        )
        self._script = self._client.register_script(SWAP)

    async def swap(self, key: str, known: int, value: bytes | None) -> Kept:
        put = "1" if value is not None else "0"
        stored, version, found, seconds, micros = await self._script(
            keys=[PREFIX + key], args=[known, value or b"", put, KEEP_SECONDS]
        )
        return Kept(bool(stored), version, value if stored else found, int(seconds) + int(micros) / 1e6)

    async def close(self) -> None:
        await self._client.aclose()
