"""The practice shop: a small web shop's API on loopback, the same for the same seed, with the faults of real ones."""

from syncline.rehearsal.shop.faults import Faults
from syncline.rehearsal.shop.server import Shop

__all__ = ["Faults", "Shop"]
