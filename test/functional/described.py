"""The API as it describes itself, and every answer of every test held against it: a member that the
description does not have, or that is missing, of another type or form, fails the test that saw it."""
import functools
import re

import httpx
import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

ROOT = "urn:caip:openapi"


class Description:
    def __init__(self, document):
        self.document = document
        self.registry = Registry().with_resource(ROOT, Resource(contents=document, specification=DRAFT202012))
        self.routes = [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path.replace("{tile}", ".+"))), method.upper(), path, operation)
                       for path, methods in document["paths"].items() for method, operation in methods.items()]
        # A fixed path before the one with a parameter, as the router has it.
        self.routes.sort(key=lambda route: route[2].count("{"))

    def operation(self, method, path):
        for pattern, its_method, _, operation in self.routes:
            if its_method == method and pattern.fullmatch(path):
                return operation
        return None

    def validator(self, schema):
        pointed = {"$ref": ROOT + schema["$ref"]} if "$ref" in schema else schema
        return jsonschema.Draft202012Validator({**pointed, "$id": ROOT + ":answer"} if "$ref" in pointed else self.inline(schema),
                                               registry=self.registry)

    def inline(self, schema):
        """References in a schema that is no component itself (a list's) point into the document."""
        if isinstance(schema, dict):
            return {key: ROOT + value if key == "$ref" else self.inline(value) for key, value in schema.items()}
        return [self.inline(item) for item in schema] if isinstance(schema, list) else schema

    def check(self, answer):
        kind = answer.headers.get("content-type", "").partition(";")[0]
        method, path = answer.request.method, answer.request.url.path
        where = f"{method} {path} -> {answer.status_code}"
        if kind == "application/problem+json":
            self.hold(self.document["components"]["schemas"]["Problem"], answer.json(), where)
            assert answer.json()["status"] == answer.status_code, where
            return
        operation = self.operation(method, path)
        if operation is None:
            return  # the user interface
        described = operation["responses"].get(str(answer.status_code))
        assert described, f"{where}: the description has {sorted(operation['responses'])}"
        content = described.get("content", {})
        assert (kind in content) if content else not answer.content, f"{where}: {kind}, described {sorted(content)}"
        if kind == "application/json":
            self.hold(content[kind]["schema"], answer.json(), where)

    def hold(self, schema, value, where):
        wrong = sorted(self.validator(schema).iter_errors(value), key=lambda e: len(e.path))
        assert not wrong, f"{where} is not as described: {wrong[0].json_path}: {wrong[0].message}"


@functools.cache
def description(url):
    return Description(httpx.get(url + "/api/v1/openapi.json", verify=False, timeout=30, trust_env=False).json())


def watch(url):
    """For httpx' event hooks. What streams (events) is not read here."""
    def seen(answer):
        if answer.headers.get("content-type", "").partition(";")[0] != "text/event-stream":
            answer.read()
            description(url).check(answer)
    return {"response": [seen]}
