"""Requests that somebody made: browsers' recordings (HAR), Postman collections, curl commands."""

from syncline.generate.inference.traffic.curl import is_curl, read_curl
from syncline.generate.inference.traffic.har import is_har, read_har
from syncline.generate.inference.traffic.postman import is_postman, read_postman

__all__ = ["is_curl", "is_har", "is_postman", "read_curl", "read_har", "read_postman"]
