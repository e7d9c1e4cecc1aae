"""``./kazasu demo``: the terminal, the cards and the town hall on one web page, all of it real.

A broker, a ledger and one terminal run as processes of their own, in a directory that the demo
makes and takes away again. Only the card reader and the terminal's panel are simulated, so the
demo needs neither root nor hardware. ``--check`` runs the same without a browser and proves every
record; ``--plant`` spoils one thing, and the check has to name it.

==============  =====================================================================
``samples``     the sample cards: whose, what the terminal must say to each
``town``        the demo's town: keys, roster, publications, settings of the processes
``processes``   starting, stopping and killing; ``keeper``: nothing outlives the demo
``wire_cut``    the LAN cable between terminal and broker, which can be pulled
``panel``       what the terminal's pins and display do, as seen from outside
``watch``       each record's way: journalled, sent, received
``answers``     what the terminal answered to each tap, held against its records
``hand``        holds cards to the reader
``stage``       all of that together
``show``        the stage as the page plays it; ``shown`` what is to be seen
``page``        the web page: its parts in ``views``, words in ``texts``, looks in ``faces``,
                lists in ``rows`` and ``tiles``; the drawing is done by the .js and .css files;
                ``callers``: no other web page may call it
``check``       the run without a browser: ``proof`` from the ledger, ``commands`` that cards may
                hear, ``report`` of it all
``spoils``      what ``--plant`` spoils; ``plants`` the two tampered terminals
==============  =====================================================================
"""
