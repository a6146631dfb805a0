"""What a guard promises, shown for every way to write a handler.

`styles` is the one axis: who serves, and how a handler is written; each makes the cardinalities
that it can. `cases` (why a call is refused), `ends` (what kills the mandate of one that runs) and
the words of `acts` (what its handler does meanwhile) are the others. A test is written once and
runs for each cell, on a server of its own, made with the testing kit and nothing else.
"""
