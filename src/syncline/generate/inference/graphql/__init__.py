"""GraphQL schemas: the answer to an introspection query, or the schema definition language."""

from syncline.generate.inference.graphql.document import INTROSPECTION, is_introspection, is_sdl, read_graphql, read_sdl

__all__ = ["INTROSPECTION", "is_introspection", "is_sdl", "read_graphql", "read_sdl"]
