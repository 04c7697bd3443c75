"""Projects out of documents of real vendors: each loads, has its document and its code, and passes its own tests."""

from __future__ import annotations

import asyncio

import pytest

from syncline.generate.code import package_files
from syncline.generate.document import document
from syncline.generate.inference import read
from syncline.generate.project import checked, compose, needs, samples
from tests.generate.inference.corpus import documents, labels

SMALL = 300_000

pytestmark = [pytest.mark.slow, pytest.mark.real]


def test_projects_of_real_documents() -> None:
    places = documents([label.document for label in labels()][:14])
    tried = streams = tested = 0
    for place in places.values():
        if place.stat().st_size > SMALL:
            continue
        api = read(place)
        if not api.entities:
            continue
        tried += 1
        params = {name: "7" for entity in api.entities for name in needs(api, entity)}
        draft = compose(api, checked(params=params, volume="1000/day"))
        assert document(draft.integration).startswith("# API Integration — ")
        made = asyncio.run(samples(draft.integration, draft.entities))
        package_files(draft.integration, {one.stream: one for one in made})
        streams += len(draft.integration.streams)
        tested += len(made)
    assert tried >= 5
    assert tested / streams > 0.8, "made-up answers that a run takes, for most lists"
