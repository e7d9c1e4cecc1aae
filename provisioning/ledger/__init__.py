"""The town hall's ledger: it commits what the terminals recorded, once, and gives receipts.

The way of one record:

1. ``collector`` takes it from the broker: anything at all, up to the topic's size.
2. ``admission`` says what it is. **Valid under an enrolled key of the topic's terminal: it
   counts**, even if this software does not understand what it says (that is an alarm, and the
   bytes are kept). **Invalid: it is quarantined** and never takes the number of a true record.
   Not even in the form of a signed message: dropped, counted, alarmed.
3. ``intake`` commits it to the database **once, by (terminal, epoch, seq, hash), its bytes as
   received**, many records in one transaction. Two different valid records for one number are
   both kept, with a clone alarm: only one of them can be true, and both are evidence.
4. Only after the commit: the broker's copy is acknowledged, and the terminal gets its **receipt**
   {terminal, epoch, upto, hash of that record, commit time}, signed by the ledger's key that the
   publication names. ``upto`` is contiguous from 1: a gap stops it. A record that its terminal has
   declared unreadable is passed, with an alarm. A receipt names only a record that is held.
5. A terminal that sends again what is committed gets its receipt again; so do all at each start.

``heads`` holds what a terminal signs every minute (how far its journal reaches) against what is
committed: a cut tail, a restored old card and a copied one show there. ``verify`` reads the
database again, from the bytes, without believing anything the rooms above have concluded.

Rules: one poisoned record never stops the rest. Whatever was receipted is on disk, whenever the
process is killed; whatever was not is sent again, and takes its place once. One process for each
database. No names here: a record carries the roster's opaque id, and the roster is elsewhere.
"""
