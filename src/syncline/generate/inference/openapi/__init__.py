"""OpenAPI documents, 2.0 to 3.2, as operations."""

from syncline.generate.inference.openapi.document import is_openapi, read_openapi

__all__ = ["is_openapi", "read_openapi"]
