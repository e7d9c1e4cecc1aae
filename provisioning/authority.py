"""The town's authority: makes the keys and certificates of a town directory, each exactly once.

Every ``ensure_`` function may be called again at any time: what is there stays as it is, what is
missing (a run was cut short, a terminal is new) is made. Nothing ever replaces a key.

Two roots of trust stand beside each other and never vouch for each other's subjects: the device
CA for the broker, its clients and the terminals (TLS and records), the card CAs for staff cards.
The keys that sign publications are ``signing_roles``'s. Until a ceremony puts them elsewhere, all
of them lie in this one directory: whoever can read it can be the town.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from provisioning import authority_certificates as certificates
from provisioning import authority_files as files
from provisioning import signing_roles
from provisioning.authority_certificates import YEAR, CertificateKey, Issuer, Span
from provisioning.authority_files import Passphrase, no_passphrase
from provisioning.town import (
    BROKER_NAMES,
    BROKER_PORT,
    CLIENTS,
    SETTINGS,
    Town,
    TownError,
    check_broker_names,
    check_name,
    check_port,
    open_town,
)
from terminal.wire import topics

CA_LIFE = 15 * YEAR
SERVER_LIFE = 2 * YEAR
CLIENT_LIFE = 2 * YEAR
CARD_LIFE = 5 * YEAR

DEVICE_CA = "device-ca"
CARD_CAS = {"p256": "card-ca-p256", "rsa2048": "card-ca-rsa2048"}
FOREIGN_CA = "foreign-ca"
TOWN_CA = "town-ca.crt"
LOOPBACK = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class StaffCard:
    """A staff card: its random id (the certificate's common name), certificate and private key.

    The key need not be the certificate's own: in a copied card it is not.
    """

    id: str
    certificate: x509.Certificate
    key: CertificateKey


def ensure_town(
    folder: Path,
    site: str,
    broker_names: tuple[str, ...] | None = None,
    broker_port: int | None = None,
    ask: Passphrase = no_passphrase,
) -> Town:
    """Make a town in ``folder``, or complete the one that is there.

    Not given, ``broker_names`` and ``broker_port`` are localhost and 8883 in a new town, and what
    they are in one that is there. A new town's folders are open to their owner alone.

    Raises:
        TownError: a name or port that is not accepted (then nothing is written), the town there
            has another site or broker, or one of its files is damaged.
    """
    wanted = Town(
        folder,
        check_name("site", site),
        check_broker_names("broker_names", BROKER_NAMES if broker_names is None else broker_names),
        check_port("broker_port", BROKER_PORT if broker_port is None else broker_port),
    )
    if not (folder / SETTINGS).exists():
        files.make_folder(folder)
        folder.chmod(files.FOLDER)
        files.write_once(folder / SETTINGS, _settings(wanted))
    town = open_town(folder)
    if town.site != site:
        raise TownError(f"{folder} is the town of site {town.site!r}, not {site!r}")
    if broker_names is not None and town.broker_names != wanted.broker_names:
        remedy = f"write it there, remove {town.broker / 'server.crt'} and run this again"
        raise _differs(town, "broker_names", ", ".join(town.broker_names), remedy)
    if broker_port is not None and town.broker_port != wanted.broker_port:
        raise _differs(town, "broker_port", str(town.broker_port), "write it there")
    device_ca = _ensure_ca(town, DEVICE_CA, ask)
    for algorithm in CARD_CAS:
        ensure_card_ca(town, algorithm, ask)
    _ensure_broker(town, device_ca)
    for client in CLIENTS:
        _ensure_client(town, device_ca, client)
    _ensure_ledger_key(town, ask)
    signing_roles.ensure_first_root(town, ask)
    return town


def ensure_terminal(town: Town, terminal: str, ask: Passphrase = no_passphrase) -> Path:
    """Make a terminal's identity; returns the folder that goes onto the terminal.

    ``device.key`` and ``device.crt`` (TLS and records, P-256), ``seal.key`` (X25519, opens what is
    sealed to this terminal), ``town-ca.crt``, and ``root.sha256``: the first root of publications
    in the form of sha256sum. The town keeps device.crt and seal.pub.

    Raises:
        TownError: the id is not accepted or a file is damaged.
    """
    try:
        # Not the name of one of the town hall's own clients: it would get their rights.
        topics.terminal_id(terminal)
    except ValueError as error:
        raise TownError(str(error)) from None
    device_ca = _ensure_ca(town, DEVICE_CA, ask)
    identity = town.identity(terminal)
    key = files.ensure_ec_key(identity / "device.key")
    certificate = _ensure_certificate(
        identity / "device.crt",
        key,
        lambda: certificates.issue_client(
            device_ca, key.public_key(), terminal, certificates.span(CLIENT_LIFE)
        ),
    )
    seal = files.ensure_seal_key(identity / "seal.key")
    _ensure(identity / TOWN_CA, _pem(device_ca.certificate))
    _ensure(identity / "root.sha256", signing_roles.first_root_pin(town))
    _ensure(town.terminal(terminal) / "seal.pub", files.public_pem(seal.public_key()))
    # Last: a terminal is known once its certificate stands here.
    _ensure(town.terminal(terminal) / "device.crt", _pem(certificate))
    return identity


def ensure_card_ca(town: Town, algorithm: str, ask: Passphrase = no_passphrase) -> Issuer:
    """The CA of staff cards with keys of ``algorithm`` (p256 or rsa2048)."""
    return _ensure_ca(town, CARD_CAS[_known(algorithm)], ask, algorithm)


def ensure_card(
    town: Town,
    name: str,
    algorithm: str = "p256",
    valid: Span | None = None,
    ask: Passphrase = no_passphrase,
) -> StaffCard:
    """Make a staff card under ``cards/<name>``; ``name`` stays in the town's files.

    ``valid`` is five years from now unless said otherwise.
    """
    return _ensure_card(town, name, algorithm, ensure_card_ca(town, algorithm, ask), valid)


def ensure_expired_card(town: Town, name: str, algorithm: str = "p256") -> StaffCard:
    """A staff card whose certificate ended an hour ago."""
    now = datetime.now(UTC).replace(microsecond=0)
    ended = Span(now - certificates.BACK_DATED, now - timedelta(hours=1))
    return ensure_card(town, name, algorithm, ended)


def ensure_future_card(town: Town, name: str, algorithm: str = "p256") -> StaffCard:
    """A staff card whose certificate begins in a year."""
    now = datetime.now(UTC).replace(microsecond=0)
    return ensure_card(town, name, algorithm, Span(now + YEAR, now + 2 * YEAR))


def ensure_foreign_card(town: Town, name: str, algorithm: str = "p256") -> StaffCard:
    """A card of another town: well made, under a CA that is not ours (but called the same)."""
    folder = town.cards / FOREIGN_CA
    common = CARD_CAS[_known(algorithm)]
    foreign = _ensure_ca_in(folder, common, common, no_passphrase, algorithm)
    return _ensure_card(town, name, algorithm, foreign, None)


def ensure_copied_card(town: Town, name: str, of: str) -> StaffCard:
    """A copy of the card ``of``: its certificate, which anybody can read, with another key."""
    original = load_card(town, of)
    algorithm = "rsa2048" if isinstance(original.key, rsa.RSAPrivateKey) else "p256"
    key = _card_key(town, name, algorithm)
    _ensure(town.cards / f"{name}.crt", _pem(original.certificate))
    return StaffCard(original.id, original.certificate, key)


def load_card(town: Town, name: str) -> StaffCard:
    """Read a card that the town made.

    Raises:
        TownError: there is no such card.
    """
    certificate = files.read_certificate(town.cards / f"{name}.crt")
    path = town.cards / f"{name}.key"
    if isinstance(certificate.public_key(), rsa.RSAPublicKey):
        key: CertificateKey = files.read_rsa_key(path)
    else:
        key = files.read_ec_key(path)
    return StaffCard(certificates.common_name(certificate), certificate, key)


def _ensure_card(
    town: Town, name: str, algorithm: str, issuer: Issuer, valid: Span | None
) -> StaffCard:
    key = _card_key(town, name, algorithm)
    certificate = _ensure_certificate(
        town.cards / f"{name}.crt",
        key,
        lambda: certificates.issue_card(
            issuer,
            key.public_key(),
            certificates.new_card_id(),
            valid or certificates.span(CARD_LIFE),
        ),
    )
    return StaffCard(certificates.common_name(certificate), certificate, key)


def _card_key(town: Town, name: str, algorithm: str) -> CertificateKey:
    check_name("card", name)
    path = town.cards / f"{name}.key"
    if _known(algorithm) == "rsa2048":
        return files.ensure_rsa_key(path)
    return files.ensure_ec_key(path)


def _ensure_ca(town: Town, name: str, ask: Passphrase, algorithm: str = "p256") -> Issuer:
    return _ensure_ca_in(town.authority, name, name, ask, algorithm)


def _ensure_ca_in(
    folder: Path, name: str, common: str, ask: Passphrase, algorithm: str = "p256"
) -> Issuer:
    path = folder / f"{name}.key"
    key: CertificateKey
    if algorithm == "rsa2048":
        key = files.ensure_rsa_key(path, ask)
    else:
        key = files.ensure_ec_key(path, ask)
    certificate = _ensure_certificate(
        folder / f"{name}.crt",
        key,
        lambda: certificates.make_ca(common, key, certificates.span(CA_LIFE)),
    )
    return Issuer(certificate, key)


def _ensure_broker(town: Town, device_ca: Issuer) -> None:
    key = files.ensure_ec_key(town.broker / "server.key")
    names = tuple(dict.fromkeys((*town.broker_names, *LOOPBACK)))
    _ensure_certificate(
        town.broker / "server.crt",
        key,
        lambda: certificates.issue_server(
            device_ca, key.public_key(), names, certificates.span(SERVER_LIFE)
        ),
    )
    _ensure(town.broker / TOWN_CA, _pem(device_ca.certificate))


def _ensure_client(town: Town, device_ca: Issuer, name: str) -> None:
    folder = town.client(name)
    key = files.ensure_ec_key(folder / "client.key")
    _ensure_certificate(
        folder / "client.crt",
        key,
        lambda: certificates.issue_client(
            device_ca, key.public_key(), name, certificates.span(CLIENT_LIFE)
        ),
    )
    _ensure(folder / TOWN_CA, _pem(device_ca.certificate))


def _ensure_ledger_key(town: Town, ask: Passphrase) -> None:
    """Make the key that signs receipts; publications name its public half."""
    folder = town.client("ledger")
    key = files.ensure_ec_key(folder / "ledger.key", ask)
    _ensure(folder / "ledger.pub", files.public_pem(key.public_key()))


def _ensure_certificate(
    path: Path, key: CertificateKey, issue: Callable[[], x509.Certificate]
) -> x509.Certificate:
    _ensure(path, lambda: _pem(issue()))
    certificate = files.read_certificate(path)
    if certificate.public_key() != key.public_key():
        raise TownError(f"{path} is not the certificate of the key beside it; put the pair back")
    return certificate


def _ensure(path: Path, content: bytes | Callable[[], bytes]) -> None:
    if not path.exists():
        files.write_once(path, content if isinstance(content, bytes) else content())


def _known(algorithm: str) -> str:
    if algorithm not in CARD_CAS:
        raise TownError(f"algorithm {algorithm!r}: accepted are {', '.join(CARD_CAS)}")
    return algorithm


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _settings(town: Town) -> bytes:
    quoted = ", ".join(f'"{name}"' for name in town.broker_names)
    text = f'site = "{town.site}"\nbroker_names = [{quoted}]\nbroker_port = {town.broker_port}\n'
    return text.encode("utf-8")


def _differs(town: Town, name: str, held: str, remedy: str) -> TownError:
    path = town.folder / SETTINGS
    return TownError(f"{path}: {name} is {held} and stays as it is; to change it, {remedy}")
