import contextlib
import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from terminal.core.credential import Assurance, Credential
from terminal.core.records import Punch
from terminal.core.roster import CredentialState
from terminal.core.rules import Language, NameShown, Use
from terminal.wire.documents import DOCUMENTS, publication_of, rules_of, trust_of
from terminal.wire.strict_json import Malformed
from tests.town_ca import TownCa

COMMON = {"v": 1, "number": 7, "issued_ms": 1_795_000_000_000}
CARD = "0123456789abcdef" * 2
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TownCa:
    return TownCa(tmp_path_factory.mktemp("cards"), "Test town card CA")


def spki(key: ec.EllipticCurvePrivateKey) -> str:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public.decode()


@pytest.fixture(scope="module")
def whole(ca: TownCa) -> dict[str, dict[str, Any]]:
    """A publication as a small town hall would have it."""
    return {
        "roster.json": {
            **COMMON,
            "salt": "c2FsdA",
            "holders": [
                {
                    "id": "h-001",
                    "name": "佐藤 一",
                    "kana": "サトウ ハジメ",
                    "section": "総務課",
                    "groups": ["all", "it"],
                    "not_after_ms": 1_800_000_000_000,
                    "cards": [{"profile": "piv-town", "id": CARD, "state": "active"}],
                },
                {
                    "id": "h-002",
                    "name": "鈴木 花",
                    "groups": [],
                    "cards": [{"profile": "piv-town", "id": "f" * 32, "state": "stopped"}],
                },
            ],
        },
        "access.json": {
            **COMMON,
            "portals": [
                {"id": "front", "name": "正面", "strike_ms": 4000, "least": "authenticated"},
                {"id": "server", "least": "two-factor", "purpose": "maintenance"},
            ],
            "schedules": [
                {
                    "id": "office",
                    "intervals": [
                        {"days": ["mon", "fri"], "from": "07:30", "to": "19:00"},
                        {"days": ["sat"], "from": "09:00", "to": "24:00"},
                    ],
                }
            ],
            "permits": [
                {"portal": "front", "schedule": "always", "group": "all"},
                {"portal": "server", "schedule": "office", "holder": "h-001", "not_before_ms": 0},
            ],
        },
        "terminals.json": {
            **COMMON,
            "terminals": {
                "ent-1": {
                    "default_use": "access",
                    "portal": "front",
                    "language": "en",
                    "name_shown": "none",
                    "buttons": ["in", "out"],
                    "attendance_purpose": "hours",
                    "attendance_least": "identified",
                    "duplicate_guard_s": 60,
                    "day_start": "05:00",
                    "contacts": {"help": "総務課 内線203", "night": "宿直室"},
                },
                "hall-2": {"default_use": "attendance"},
            },
        },
        "texts.json": {
            **COMMON,
            "ja": {"ready": ["かざしてください"]},
            "en": {"ready": ["Hold", "it"]},
        },
        "trust.json": {
            **COMMON,
            "card_cas": [{"profile": "piv-town", "certificate": ca.path.read_text()}],
            "revocation": {
                "number": 3,
                "issued_ms": 1_795_000_000_001,
                "serials": [{"profile": "piv-town", "serial": "0aFF"}],
            },
            "ledger_keys": [spki(ca.key)],
        },
    }


def packed(whole: dict[str, dict[str, Any]]) -> dict[str, bytes]:
    return {name: json.dumps(content).encode() for name, content in whole.items()}


# --- what is there comes over


def test_the_roster_says_whose_a_card_is(whole: dict[str, dict[str, Any]]) -> None:
    roster = rules_of(packed(whole), "ent-1").roster
    entry = roster.find(Credential("piv-town", "issuer", CARD, Assurance.AUTHENTICATED))
    assert entry is not None
    assert (entry.holder.id, entry.holder.name, entry.holder.section) == (
        "h-001",
        "佐藤 一",
        "総務課",
    )
    assert entry.holder.groups == {"all", "it"}
    assert entry.holder.not_after == datetime.fromtimestamp(1_800_000_000, UTC)
    assert roster.entries[("piv-town", "f" * 32)].state is CredentialState.STOPPED


def test_portals_schedules_and_permits_come_over(whole: dict[str, dict[str, Any]]) -> None:
    rules = rules_of(packed(whole), "ent-1")
    assert rules.portals["front"].strike_ms == 4000
    assert rules.portals["server"].least is Assurance.TWO_FACTOR
    assert rules.portals["server"].strike_ms == 5000
    first, second = rules.schedules["office"].intervals
    assert (first.weekdays, first.start, first.end) == (frozenset({0, 4}), time(7, 30), time(19))
    assert second.end == time(0)
    assert rules.schedules["always"].unlimited
    assert [permit.group for permit in rules.permits] == ["all", None]
    assert rules.permits[1].not_before == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_terminal_gets_its_own_settings_and_language(whole: dict[str, dict[str, Any]]) -> None:
    rules = rules_of(packed(whole), "ent-1")
    settings = rules.settings
    assert (rules.publication, settings.terminal, settings.portal) == (7, "ent-1", "front")
    assert (settings.language, settings.name_shown) == (Language.EN, NameShown.NONE)
    assert settings.buttons == (Punch.IN, Punch.OUT)
    assert (settings.duplicate_guard_s, settings.day_start) == (60, time(5))
    assert settings.attendance_least is Assurance.IDENTIFIED
    assert settings.contacts["night"] == "宿直室"
    assert rules.texts == {"ready": ("Hold", "it")}
    other = rules_of(packed(whole), "hall-2")
    assert other.settings.default_use is Use.ATTENDANCE
    assert other.settings.attendance_least is Assurance.AUTHENTICATED
    assert other.texts == {"ready": ("かざしてください",)}


def test_trust_names_card_cas_revoked_cards_and_ledger_keys(
    whole: dict[str, dict[str, Any]], ca: TownCa
) -> None:
    trust = trust_of(packed(whole))
    assert trust.card_cas == (("piv-town", ca.certificate),)
    assert trust.revocation.number == 3
    assert trust.revocation.serials == {("piv-town", 0x0AFF)}
    assert trust.ledger_keys == (ca.key.public_key(),)


# --- what is wrong is refused, with its place


def read_all(documents: dict[str, bytes]) -> None:
    rules_of(documents, "ent-1")
    trust_of(documents)


def set_in(*path: Any) -> Change:
    """Put the last of ``path`` where the others lead."""

    def change(document: dict[str, Any]) -> None:
        at: Any = document
        for step in path[:-2]:
            at = at[step]
        at[path[-2]] = path[-1]

    return change


WRONG: tuple[tuple[str, Change, str, str], ...] = (
    ("roster.json", set_in("holders", 0, "grops", []), "holders[0].grops", "known are"),
    ("roster.json", set_in("holders", 0, "groups", None), "holders[0].groups", "missing"),
    ("roster.json", set_in("holders", 0, "id", "a b"), "holders[0].id", "must be an id"),
    ("roster.json", set_in("holders", 1, "id", "h-001"), "holders", "twice"),
    ("roster.json", set_in("holders", 0, "name", "a\nb"), "holders[0].name", "control"),
    ("roster.json", set_in("holders", 0, "name", "x" * 61), "holders[0].name", "longer than 60"),
    (
        "roster.json",
        set_in("holders", 0, "not_after_ms", "2027"),
        "holders[0].not_after_ms",
        "integer",
    ),
    ("roster.json", set_in("holders", 0, "not_after_ms", 2**62), "holders[0].not_after_ms", "9999"),
    ("roster.json", set_in("holders", 1, "cards", 0, "id", CARD), "cards[0].id", "two entries"),
    ("roster.json", set_in("holders", 0, "cards", 0, "state", "lost"), "state", "active, stopped"),
    ("roster.json", set_in("holders", {}), "holders", "must be a list"),
    ("roster.json", set_in("holders", [7]), "holders[0]", "must be an object"),
    ("access.json", set_in("portals", 0, "strike_ms", 5), "portals[0].strike_ms", "500 to 30000"),
    (
        "access.json",
        set_in("portals", 0, "strike_ms", 45_000),
        "portals[0].strike_ms",
        "500 to 30000",
    ),
    ("access.json", set_in("portals", 0, "strike_ms", True), "portals[0].strike_ms", "integer"),
    ("access.json", set_in("portals", 0, "least", "sure"), "portals[0].least", "identified"),
    ("access.json", set_in("portals", 1, "id", "front"), "portals", "twice"),
    (
        "terminals.json",
        set_in("terminals", "ent-1", "duplicate_guard_s", True),
        "guard_s",
        "integer",
    ),
    ("access.json", set_in("permits", 0, "portal", "frnot"), "permits[0].portal", "none of the"),
    ("access.json", set_in("permits", 0, "schedule", "x"), "permits[0].schedule", "none of the"),
    ("access.json", set_in("permits", 0, "holder", "h-001"), "permits[0]", "one of them"),
    ("access.json", set_in("permits", 0, "group", None), "permits[0]", "one of them"),
    ("access.json", set_in("schedules", 0, "id", "always"), "schedules", "twice"),
    ("access.json", set_in("schedules", 0, "intervals", []), "intervals", "permit always"),
    ("access.json", set_in("schedules", 0, "intervals", 0, "days", []), "days", "empty"),
    ("access.json", set_in("schedules", 0, "intervals", 0, "days", ["月"]), "days[0]", "mon, tue"),
    ("access.json", set_in("schedules", 0, "intervals", 0, "from", "7:30"), "from", '"07:30"'),
    ("access.json", set_in("schedules", 0, "intervals", 0, "to", "07:30"), "to", "later than"),
    ("access.json", set_in("schedules", 0, "intervals", 0, "to", "25:00"), "to", '"07:30"'),
    ("terminals.json", set_in("terminals", "ent-1", "portal", "x"), "ent-1.portal", "no portal"),
    ("terminals.json", set_in("terminals", "ent-1", "portal", None), "ent-1.portal", "is access"),
    ("terminals.json", set_in("terminals", "ent-1", "language", "fr"), "language", "ja, en"),
    ("terminals.json", set_in("terminals", "ent-1", "buttons", ["up"]), "buttons[0]", "in, out"),
    (
        "terminals.json",
        set_in("terminals", "ent-1", "duplicate_guard_s", "5 min"),
        "guard_s",
        "86400",
    ),
    ("terminals.json", set_in("terminals", "ent-1", "contacts", {"a b": "x"}), "contacts", "an id"),
    ("terminals.json", set_in("terminals", "hall-2", "buton", 1), "hall-2.buton", "known are"),
    ("terminals.json", set_in("terminals", {}), "terminals.ent-1", "knows no such terminal"),
    ("texts.json", set_in("en", {"a": ["x"] * 5}), "en.a", "more than 4"),
    ("texts.json", set_in("en", {"a": "x"}), "en.a", "must be a list"),
    ("texts.json", set_in("fr", {}), "fr", "known are"),
    ("trust.json", set_in("card_cas", 0, "certificate", "x"), "card_cas[0].certificate", "PEM"),
    ("trust.json", set_in("ledger_keys", ["x"]), "ledger_keys[0]", "public key in PEM"),
    ("trust.json", set_in("ledger_keys", [7]), "ledger_keys[0]", "PEM"),
    ("trust.json", set_in("revocation", "serials", 0, "serial", "xyz"), "serial", "hex"),
    ("trust.json", set_in("revocation", None), "revocation", "missing"),
    ("texts.json", set_in("number", 8), "", "publication 8"),
    ("texts.json", set_in("v", 2), "v", "only version"),
    ("texts.json", set_in("issued_ms", None), "issued_ms", "missing"),
)


@pytest.mark.parametrize(("name", "change", "place", "reason"), WRONG)
def test_what_is_wrong_is_refused_with_document_place_and_remedy(
    whole: dict[str, dict[str, Any]], name: str, change: Change, place: str, reason: str
) -> None:
    changed = copy.deepcopy(whole)
    change(changed[name])
    with pytest.raises(Malformed) as refusal:
        read_all(packed(changed))
    assert refusal.value.place.startswith(name)
    assert place in refusal.value.place
    assert reason in refusal.value.reason


def test_only_p256_keys_sign_receipts(whole: dict[str, dict[str, Any]]) -> None:
    changed = copy.deepcopy(whole)
    changed["trust.json"]["ledger_keys"] = [spki(ec.generate_private_key(ec.SECP384R1()))]
    with pytest.raises(Malformed, match="P-256"):
        trust_of(packed(changed))


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name.endswith(".json")])
def test_a_missing_document_is_named(whole: dict[str, dict[str, Any]], name: str) -> None:
    documents = packed(whole)
    del documents[name]
    with pytest.raises(Malformed, match=f"{name}: is missing"):
        rules_of(documents, "ent-1")


def test_a_publication_has_one_number(whole: dict[str, dict[str, Any]]) -> None:
    number, issued = publication_of(packed(whole))
    assert (number, issued) == (7, datetime.fromtimestamp(1_795_000_000, UTC))


@given(st.data())
def test_no_spoilt_publication_raises_anything_else(
    whole: dict[str, dict[str, Any]], data: st.DataObject
) -> None:
    changed = copy.deepcopy(whole)
    name = data.draw(st.sampled_from(sorted(changed)))
    spoil(changed[name], data)
    with contextlib.suppress(Malformed):
        read_all(packed(changed))


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just([[]]),
)


def spoil(node: Any, data: st.DataObject) -> None:
    """Put something that does not belong there somewhere into ``node``."""
    if not node:
        return
    key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
    if isinstance(node[key], dict | list) and data.draw(st.booleans()):
        spoil(node[key], data)
    else:
        node[key] = data.draw(JUNK)


def test_ten_thousand_holders_are_read_within_a_few_seconds(
    whole: dict[str, dict[str, Any]],
) -> None:
    changed = copy.deepcopy(whole)
    plain = changed["roster.json"]["holders"][0]
    changed["roster.json"]["holders"] = [
        {**plain, "id": f"h-{n}", "cards": [{"profile": "p", "id": f"{n:032x}", "state": "active"}]}
        for n in range(10_000)
    ]
    assert len(rules_of(packed(changed), "ent-1").roster.entries) == 10_000
