"""Where tokens outlive a process: encrypted, shared by processes or machines, one of whom gets the next for all."""

from syncline.http.tokens.choosing import Purpose, token_store
from syncline.http.tokens.identity import grant_of, token_auth, worth_of
from syncline.http.tokens.kept import Kept, ends, runs_out
from syncline.http.tokens.keys import find_keys, key_file, make_key
from syncline.http.tokens.store import OvertakenError, SealedStore

__all__ = [
    "Kept",
    "OvertakenError",
    "Purpose",
    "SealedStore",
    "ends",
    "find_keys",
    "grant_of",
    "key_file",
    "make_key",
    "runs_out",
    "token_auth",
    "token_store",
    "worth_of",
]
