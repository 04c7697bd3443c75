"""Another API as the destination: each record's effect happens once, whatever breaks on the way."""

from syncline.destinations.api.part import ApiDestination, GraphQLApi, RestApi

__all__ = ["ApiDestination", "GraphQLApi", "RestApi"]
