"""A record as JSON: strict about types, patient with members it does not know."""

import json
from typing import Any

import pytest

from oidcclient._shell.store.contract_parts import example_record
from oidcclient._words.errors import StoreError
from oidcclient._words.record_json import RECORD_VERSION, record_from_json, record_to_json

RECORD = example_record()


def test_a_record_survives_json() -> None:
    assert record_from_json(json.loads(json.dumps(record_to_json(RECORD)))) == RECORD


def test_unknown_members_are_ignored() -> None:
    members = record_to_json(RECORD) | {"a later field": 1}
    members["tokens"][""]["another"] = 1
    assert record_from_json(members) == RECORD


@pytest.mark.parametrize("name", list(record_to_json(RECORD)))
@pytest.mark.parametrize("wrong", [7.5, True, "text", [7], [["nested"]], {"a": 7}, float("inf"), None])
def test_a_member_of_the_wrong_type_is_refused(name: str, wrong: Any) -> None:
    fine = record_to_json(RECORD)
    if _is_fine(fine[name], wrong, name):
        record_from_json(fine | {name: wrong})
        return
    with pytest.raises(StoreError) as caught:
        record_from_json(fine | {name: wrong})
    assert caught.value.rule == "record"


def _is_fine(example: Any, wrong: Any, name: str) -> bool:
    if wrong is None:
        return name in {"refresh_token", "metadata", "keys"}
    if isinstance(wrong, dict):
        return name in {"claims", "metadata", "keys"}
    return (wrong == 7.5 and isinstance(example, float)) or (wrong == "text" and isinstance(example, str))


@pytest.mark.parametrize("name", list(record_to_json(RECORD)))
def test_a_missing_member_is_refused(name: str) -> None:
    members = record_to_json(RECORD)
    del members[name]
    with pytest.raises(StoreError):
        record_from_json(members)


@pytest.mark.parametrize("members", [None, [], "text", 1])
def test_what_is_no_object_is_refused(members: Any) -> None:
    with pytest.raises(StoreError):
        record_from_json(members)


@pytest.mark.parametrize(("name", "wrong"), [("value", None), ("type", 1), ("expires_at", "soon"), ("scope", "openid")])
def test_a_token_of_the_wrong_form_is_refused(name: str, wrong: Any) -> None:
    members = record_to_json(RECORD)
    members["tokens"][""][name] = wrong
    with pytest.raises(StoreError):
        record_from_json(members)


def test_a_newer_record_asks_for_an_update() -> None:
    with pytest.raises(StoreError) as caught:
        record_from_json({"version": RECORD_VERSION + 1})
    assert caught.value.rule == "version"
    assert "Update" in caught.value.hint


def test_there_was_no_version_before_the_first() -> None:
    with pytest.raises(StoreError) as caught:
        record_from_json(record_to_json(RECORD) | {"version": 0})
    assert caught.value.rule == "record"


def test_a_refusal_does_not_show_what_came() -> None:
    with pytest.raises(StoreError) as caught:
        record_from_json(record_to_json(RECORD) | {"scopes": "made-up secret"})
    assert "made-up secret" not in f"{caught.value} {caught.value.expected} {caught.value.received}"
