"""What terminal and town hall have agreed on: bytes and topics, nothing that moves them.

Both sides import this package, so that no format is written down twice. Bytes go in, verified
values come out, or an error that names the place. Reading order: ``topics`` (who may say what
where), ``messages`` (what is said), ``signed`` and ``chain`` (why it can be believed),
``documents`` (what a publication holds), ``seal`` (who can read it). ``asyncapi.yaml`` tells the
same to people with other tools; the tests hold every payload against it.

Rules: no files, no network, no clock. Signatures are over the bytes as they travelled, which are
stored as received and never written anew; they are parsed only after they have been verified.
"""
