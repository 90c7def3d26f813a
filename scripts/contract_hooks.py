"""Serializers for media types that schemathesis does not know."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    """Serializes a list as newline-delimited JSON. Other values are sent unchanged, for the server to reject."""
    if isinstance(value, bytes):
        return value
    lines = value if isinstance(value, list) else [value]
    return "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines).encode(errors="replace")
