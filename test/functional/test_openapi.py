"""The API's description is complete both ways: what it says exists, and what exists it says, down to
the members of every answer. (described.py holds the answers of all other tests against it too.)"""
import copy

import jsonschema
import pytest

import described
from described import Description, description
from support import problem


@pytest.fixture(scope="module")
def document(control):
    return description(control.url).document


def schemas_in(node):
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from schemas_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from schemas_in(value)


def test_every_reference_leads_somewhere(document):
    names = set(document["components"]["schemas"])
    used = {node["$ref"].rpartition("/")[2] for node in schemas_in(document) if isinstance(node.get("$ref"), str)} - {"Problem"}
    assert used <= names
    assert names - used <= {"Problem"}, "a shape that nothing answers with"


def test_every_shape_is_a_schema(document):
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema, name


# What an entry holds depends on its action, and a description is described by its own standard.
OPEN = {"OpenApi", "Entry.params", "Entry.detail"}


def objects(name, schema):
    if isinstance(schema, dict):
        if "object" in (schema.get("type") if isinstance(schema.get("type"), list) else [schema.get("type")]):
            yield name, schema
        for key, value in schema.get("properties", {}).items():
            yield from objects(f"{name}.{key}", value)
        yield from objects(name, schema.get("items"))
        for part in schema.get("anyOf", []):
            yield from objects(name, part)


def test_no_shape_is_just_any_object(document):
    for name, schema in document["components"]["schemas"].items():
        for where, found in objects(name, schema):
            if where not in OPEN:
                assert found["additionalProperties"] is False and "properties" in found and "required" in found, where


def test_every_json_answer_has_a_shape(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                for kind, content in answer.get("content", {}).items():
                    schema = content["schema"]
                    if kind == "application/json":
                        assert "$ref" in schema or "data" in schema["properties"], f"{method} {path} {status}: {schema}"


def readable(document):
    return [path for path, methods in document["paths"].items() if "get" in methods and "{" not in path and not path.endswith("/events")]


def test_what_can_be_read_is_as_described(owner, document):
    needed = {"/api/v1/audit/proofs/inclusion": "?index=0&size=1", "/api/v1/audit/proofs/consistency": "?from=1&to=2"}
    for path in readable(document):
        answer = owner.http.get(owner.control.url + path + needed.get(path, ""))
        assert answer.status_code in (200, 404), f"{path}: {answer.text}"  # install files; nothing witnessed yet
    assert len(readable(document)) > 15


@pytest.mark.parametrize("change", [{"more": 1}, {"needed": "yes"}, {"needed": None}, "missing"])
def test_an_answer_that_is_not_as_described_is_noticed(control, change):
    known = description(control.url)
    schema = known.operation("GET", "/api/v1/setup")["responses"]["200"]["content"]["application/json"]["schema"]
    known.hold(schema, {"needed": True}, "as it is")
    with pytest.raises(AssertionError):
        known.hold(schema, {} if change == "missing" else {"needed": True, **change}, "changed")


def test_every_answer_of_these_tests_is_held_against_the_description(owner, document, monkeypatch):
    changed = copy.deepcopy(document)
    changed["components"]["schemas"]["SetUpState"]["properties"]["needed"] = {"type": "integer"}
    monkeypatch.setattr(described, "description", lambda url: Description(changed))
    with pytest.raises(AssertionError, match="GET /api/v1/setup -> 200 is not as described"):
        owner.get("/setup")


def test_a_route_that_is_not_there_is_a_problem(owner):
    problem(owner.get("/nothing/here"), 404, "not_found")
    assert Description(description(owner.control.url).document).operation("GET", "/api/v1/nothing/here") is None
