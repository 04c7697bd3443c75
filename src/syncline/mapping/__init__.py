"""A vendor's record to ours: declared in the file, compiled once, run per page."""

from syncline.mapping.chain import Call, Chain, ChainError, inverse_of, parse_chain
from syncline.mapping.mapper import Mapped, Mapper, compile_mapping
from syncline.mapping.mapping import FieldMapping, Mapping
from syncline.mapping.transform import Transform, TransformError, known_transforms, transform
from syncline.mapping.where import Matches, Where, compile_where

__all__ = [
    "Call",
    "Chain",
    "ChainError",
    "FieldMapping",
    "Mapped",
    "Mapper",
    "Mapping",
    "Matches",
    "Transform",
    "TransformError",
    "Where",
    "compile_mapping",
    "compile_where",
    "inverse_of",
    "known_transforms",
    "parse_chain",
    "transform",
]
