"""Tests the server against its own document: texts of formats that JSON Schema does not define, and two checks."""
import re

import schemathesis
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import negative_data_rejection

word = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=20)
texts = {
    "ip": st.ip_addresses().map(str),
    "cidr": st.ip_addresses().map(lambda address: f"{address}/{address.max_prefixlen}"),
    "google-duration": st.integers(3600, 2_592_000).map(lambda seconds: f"{seconds}s"),
    "google-fieldmask": st.sampled_from(["", "*"]),
    "int64": st.integers(1, 1_000_000_000).map(str),
    "aip-160-filter": st.sampled_from(["", 'actor_id="user_123"', "status=KEY_STATUS_ACTIVE", 'name="b*"', 'scopes:"a"']),
    "aip-160-audit-filter": st.sampled_from(["", 'caller="admin"', 'event_time>="2026-01-31T00:00:00Z"']),
    "aip-132-order": st.sampled_from(["", "create_time", "create_time desc", "expire_time asc"]),
    "page-token": st.just(""),
    "raw-key": word.map(lambda text: f"raw-{text}"),
    "sha256": st.binary(min_size=32, max_size=32).map(bytes.hex),
    "hostname": word.map(lambda text: f"{text}.example"),
}
for name, strategy in texts.items():
    schemathesis.openapi.format(name, strategy)

# Rules that the document describes in words, because JSON Schema cannot express them, by the text of the refusal.
in_words = [
    # Of two fields, or of a field and the key.
    (r"raw_key", r"exactly one of|must not be empty"),
    (r"raw_key_sha256", r"exactly one of|must not stand beside raw_key"),
    (r"description", r"is only allowed when reason is"),
    (r"tenant_id", r"must be empty or|is not the"),
    (r"order_by", r"can be combined only with"),
    (r"ttl", r"longer than|beyond|must not be|at most"),
    (r"default_ttl", r"longer|max_ttl"),
    # Any text may be an imported key, but derivation accepts only possible credentials.
    (r"credential", r"has an unrecognised format"),
    # A URL has no query, no fragment and no user name; the limit of an actor counts requests only.
    (r"issuer", r"must be an http or https URL"),
    (r"unit", r"must be requests"),
    # The size of an object as JSON, its depth, its names, and numbers that a double cannot represent.
    (r"metadata|custom_claims", r"would be rounded|bytes|levels|reserved|cannot be|not allowed|must not|same name"),
    # A page token is valid for the same list with the same filter, and cannot be invented.
    (r"page_token", r"does not belong to this list"),
]
# The state of the key or tenant, which the document cannot know.
of_state = {"KEY_NOT_ACTIVE", "TENANT_SUSPENDED", "TENANT_NOT_READY"}


@schemathesis.check
def refuses_only_what_the_document_says(ctx, response, case):
    """A request that satisfies the schema may be refused only for rules that the document describes in words."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 413, 415, 422):
        return None
    details = response.json()["details"]
    reason = next(detail["reason"] for detail in details if "reason" in detail)
    violations = [violation for detail in details for violation in detail.get("field_violations", [])]
    unexplained = [violation for violation in violations if not is_in_words(violation)]
    if reason in of_state or (violations and not unexplained):
        return None
    raise AssertionError(f"refused although it keeps the schema: {reason} {unexplained or response.json()['message']}")


@schemathesis.check
def accepts_only_what_the_document_says(ctx, response, case):
    """Like negative_data_rejection, except for what protobuf JSON allows and the document describes in words."""
    return None if has_other_form(case.body, wide_integers(case)) else negative_data_rejection(ctx, response, case)


def has_other_form(value, wide, name=None):
    """Whether a member is `null`, which counts as not set, or a 64-bit integer is a number."""
    if isinstance(value, dict):
        return any(has_other_form(member, wide, member_name) for member_name, member in value.items())
    if isinstance(value, list):
        return any(has_other_form(item, wide) for item in value)
    return name is not None and (value is None or (name in wide and isinstance(value, (int, float))))


def wide_integers(case):
    schemas = case.operation.schema.raw_schema["components"]["schemas"].values()
    properties = [item for schema in schemas for item in schema.get("properties", {}).items()]
    return {name for name, schema in properties if schema.get("format") == "int64" and schema.get("type") == "string"}


def is_in_words(violation):
    path = [part for part in re.split(r"[.\[]", violation["field"]) if part and not part.endswith("]")]
    return any(
        any(re.fullmatch(field, part) for part in path) and re.search(text, violation["description"]) for field, text in in_words
    )
