"""The pure heart of the terminal: what happened -> what is decided -> what is to be done.

Nothing in this package performs input or output, asks a clock, starts a thread, draws a random
number or writes a log line. Time, identifiers and randomness come in as values with the events,
so the same state and the same events always give the same effects, and a puzzling morning at a
town hall can be replayed in a test.

Reading order: ``events`` (what can happen), ``effects`` (what can be done), ``records`` (what is
written down), ``controller.step`` (the one function that joins them), then one decider per use of
the card (``access``, ``attendance``).

Glossary. One word per thing, in the code, on the wire, in the journal and on every page:

alarm               a named condition that operations should see; it starts, and it ends
anti-passback       nobody enters a zone twice without having left it
assurance           how sure a reading is: identified < authenticated < two-factor
birth / will        what a terminal says when it joins the broker / what the broker says for it
boot id             drawn anew at each start of the system; monotonic time never outlives it
card profile        data that tells how one kind of card is read
channel             the road of APDUs to one card, open for one conversation
chain               each record carries the hash of the one before
clock quality       synced, holdover, rtc or unknown; every record carries it
conversation        all APDUs between a card's arrival and the verdict on it
credential          what a card proved: profile, issuer, id, assurance, evidence
decision            granted or denied, with a reason
device              something wired to the Pi: reader, strike, indicator, display, inputs
directive           a signed one-time order to named terminals
document            one file of a publication: roster, access rules, texts, trust, ...
door                secured, released, open, held, forced
duplicate           a punch that repeats the last one within the guard time; changes nothing
enrol               a terminal joins the town
entry               what the core wants written down; the journal makes a record of it
epoch               drawn when a journal is created; a new SD card is a new epoch
evidence            what a credential's verdict rests on: validity, revocation list and its age
exit request (REX)  somebody inside asks to leave; the door opens first, the record follows
head                number and hash of a journal's newest record, signed every minute
holder              the person a credential belongs to; an opaque id, never a card number
holiday calendar    the days on which schedules change
indicator           buzzer and the two lamps, ring (o) and cross (x)
journal             the terminal's append-only, chained, signed records
ledger              the town hall's store of records; it proves them and gives receipts
permit              holder or group x portal x schedule x validity x assurance
portal              a way through: reader(s), strike, contact
publication         the signed set of documents in force, with a number that only rises
punch               one attendance act: in, out, away, back
purpose             the lawful task a tap serves; every record carries one
receipt             the ledger's signed word that it has committed records up to a number
record              one journal row: numbered, chained, signed
register            a person (or a card of theirs) is taken into the roster
retained            a message the broker keeps for later subscribers
roster              holders and their credentials, as published
schedule            the weekly hours in which a permit counts
screen              what the display is to show: a headline or lines
signal              what buzzer and lamps are to say
stamp               the moment of an event: wall time, boot id, monotonic time, clock quality
strike              what holds the door; it is released, and it re-locks
tap                 one presence of a card on the reader
use                 what a tap is for at this terminal: access, attendance, ...
zone                rooms that share one answer to "who is inside"
"""
