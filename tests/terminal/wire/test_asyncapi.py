"""The contract for others is held against the code: the table, and every payload it emits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from terminal import wire
from terminal.core.moment import ClockState
from terminal.core.reasons import Alarm
from terminal.core.records import Entry
from terminal.wire.chain import GENESIS
from terminal.wire.index import LONGEST_FILE, index_bytes
from terminal.wire.messages import (
    OFFLINE,
    ONLINE,
    CfgState,
    Head,
    Health,
    Info,
    Receipt,
    alarms_payload,
    cfg_state_payload,
    head_members,
    health_payload,
    info_payload,
    live_payload,
    receipt_members,
    record_members,
)
from terminal.wire.signed import HEAD, LONGEST, RECEIPT, RECORD, sign
from terminal.wire.topics import TABLE, Name, row
from tests.terminal.wall import BOOT, moment, tap
from tests.terminal.wire.test_messages import COUNTS, ENTRIES
from tests.town_ca import new_key

CONTRACT: dict[str, Any] = yaml.safe_load(
    (Path(wire.__path__[0]) / "asyncapi.yaml").read_text(encoding="utf-8")
)
KEY = new_key()
EPOCH = "0123456789abcdef"


def validator(schema: str) -> Draft202012Validator:
    whole = {"$ref": f"#/components/schemas/{schema}", "components": CONTRACT["components"]}
    return Draft202012Validator(whole)


VALIDATORS = {name: validator(name) for name in CONTRACT["components"]["schemas"]}


def holds(schema: str, payload: bytes) -> None:
    VALIDATORS[schema].validate(json.loads(payload))


# --- the document


def test_the_document_is_asyncapi_3_and_every_reference_in_it_leads_somewhere() -> None:
    assert CONTRACT["asyncapi"].startswith("3.")
    for reference in references(CONTRACT):
        at: Any = CONTRACT
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_schema_is_a_schema_and_refuses_unknown_members() -> None:
    for name, schema in CONTRACT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False, name


def test_every_topic_of_the_table_is_a_channel_with_the_same_qos_and_retention() -> None:
    channels = CONTRACT["channels"]
    by_name = {name: name.value.replace("/", "-") for name in Name}
    assert sorted(channels) == sorted(by_name.values())
    for one in TABLE:
        channel = by_name[one.name]
        assert channels[channel]["address"] == one.pattern
        said = f"#/channels/{channel}"
        (operation,) = [
            operation
            for operation in CONTRACT["operations"].values()
            if operation["channel"]["$ref"] == said
        ]
        assert operation["bindings"]["mqtt"] == {"qos": one.qos, "retain": one.retained}
        assert operation["action"] == ("send" if one.writer == "terminal" else "receive")


# --- the payloads


@given(ENTRIES, COUNTS)
def test_every_record_is_what_the_contract_says(entry: Entry, seq: int) -> None:
    members = record_members(entry, "ent-1", EPOCH, max(1, seq), GENESIS)
    holds("record", sign(RECORD, members, KEY))


def test_the_longest_record_fits_its_topic() -> None:
    entry = Entry(
        kind=tap(moment()).kind,
        result=tap(moment()).result,
        reason=tap(moment()).reason,
        stamp=moment(),
        purpose="税" * 60,
        publication=2**63 - 1,
        holder="h" * 64,
        profile="p" * 64,
        portal="d" * 64,
        elapsed_ms=2**63 - 1,
        detail="𠮷" * 400,
    )
    payload = sign(RECORD, record_members(entry, "t" * 32, EPOCH, 2**63 - 1, "f" * 64), KEY)
    assert len(payload) <= row(Name.REC).longest == LONGEST


@given(ENTRIES)
def test_every_live_message_is_what_the_contract_says(entry: Entry) -> None:
    payload = live_payload(entry)
    holds("live", payload)
    assert len(payload) <= row(Name.LIVE).longest


@given(st.dictionaries(st.sampled_from(Alarm), st.text(max_size=400)))
def test_every_alarms_message_is_what_the_contract_says(alarms: dict[Alarm, str]) -> None:
    payload = alarms_payload(1, alarms)
    holds("alarms", payload)
    assert len(payload) <= row(Name.ALARMS).longest


def test_all_alarms_at_once_fit_their_topic() -> None:
    payload = alarms_payload(1, dict.fromkeys(Alarm, "\0" * 400))
    assert len(payload) <= row(Name.ALARMS).longest


@given(COUNTS, st.integers(0, 100), st.sampled_from(ClockState), st.booleans())
def test_every_health_message_is_what_the_contract_says(
    count: int, percent: int, clock: ClockState, reader_ok: bool
) -> None:
    health = Health(
        at_ms=count,
        pending=count,
        total=count,
        oldest_pending_s=count,
        journal_percent=percent,
        disk_free_mb=count,
        clock=clock,
        clock_error_ms=count,
        uptime_s=count,
        publication=count,
        reader_ok=reader_ok,
    )
    payload = health_payload(health)
    holds("health", payload)
    assert len(payload) <= row(Name.HEALTH).longest


@pytest.mark.parametrize("state", ["idle", "fetching", "active", "refused"])
def test_every_state_of_configuration_is_what_the_contract_says(state: str) -> None:
    payload = cfg_state_payload(CfgState(1, 7, 8, state, "x" * 999))
    holds("cfgState", payload)
    assert len(payload) <= row(Name.CFG_STATE).longest


def test_birth_head_receipt_index_and_status_are_what_the_contract_says() -> None:
    holds("info", info_payload(Info("ent-1", EPOCH, "0.1.0", BOOT, 1, 0)))
    head = Head("ent-1", EPOCH, 0, GENESIS, BOOT, 0, 1)
    holds("head", sign(HEAD, head_members(head), KEY))
    receipt = Receipt("ent-1", EPOCH, 1, "f" * 64, 1)
    holds("receipt", sign(RECEIPT, receipt_members(receipt), KEY))
    holds("index", index_bytes({"metadata/1.root.json": 0, "roster.json": LONGEST_FILE}))
    for status in (ONLINE, OFFLINE):
        VALIDATORS["status"].validate(status.decode())
        assert len(status) <= row(Name.STATUS).longest


@pytest.mark.parametrize("member", ["name", "card", "certificate", "kana"])
def test_the_contract_has_no_place_for_a_name_or_a_card(member: str) -> None:
    members = record_members(tap(moment()), "ent-1", EPOCH, 1, GENESIS)
    with pytest.raises(ValidationError):
        holds("record", sign(RECORD, {**members, member: "x"}, KEY))
