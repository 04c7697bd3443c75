"""Where tokens outlive a process: encrypted, shared by processes or machines, one of whom gets the next for all.

Most integrations have no token, so each name is imported when it is first asked for.
"""

from syncline.model import late_names

_HOMES = {
    "choosing": ("Purpose", "token_store"),
    "identity": ("grant_of", "token_auth", "worth_of"),
    "kept": ("Kept", "OvertakenError", "ends", "runs_out"),
    "keys": ("find_keys", "key_file", "make_key"),
    "store": ("SealedStore",),
}

__all__ = sorted(name for names in _HOMES.values() for name in names)  # noqa: PLE0605 – a list of text, made here
__getattr__ = late_names(__name__, _HOMES)
