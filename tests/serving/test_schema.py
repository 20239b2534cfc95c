"""
The service held against what it says of itself: schemathesis makes requests that its OpenAPI document allows, and such
that it does not, for every endpoint, and looks at each answer.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
EXAMPLES = 12
PHASES = [Phase.explicit, Phase.generate]


@pytest.fixture(scope="module")
def schema(client) -> Any:
    return schemathesis.openapi.from_url(f"{str(client.base_url).rstrip('/')}/openapi.json")


def operations(schema: Any, mode: GenerationMode) -> Iterator[Any]:
    """All operations; where nothing can be told, nothing can be told wrong."""
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode == GenerationMode.POSITIVE or operation.body or operation.path_parameters or operation.query:
            yield operation


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
def test_every_answer_is_as_the_document_says_and_none_is_a_fault_of_ours(schema, mode):
    num_asked = 0
    for operation in operations(schema, mode):

        @settings(max_examples=EXAMPLES, phases=PHASES, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            nonlocal num_asked
            num_asked += 1
            case.call_and_validate(checks=CHECKS, timeout=20)

        ask()
    assert num_asked > 50
