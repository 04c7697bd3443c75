"""For type checkers: what `__init__.py` imports when it is first used."""

from syncline.http.tokens.choosing import Purpose as Purpose, token_store as token_store
from syncline.http.tokens.identity import grant_of as grant_of, token_auth as token_auth, worth_of as worth_of
from syncline.http.tokens.kept import Kept as Kept, OvertakenError as OvertakenError, ends as ends, runs_out as runs_out
from syncline.http.tokens.keys import find_keys as find_keys, key_file as key_file, make_key as make_key
from syncline.http.tokens.store import SealedStore as SealedStore
