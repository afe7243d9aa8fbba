"""Reuse: which steps need not run because nothing that counts for them has changed.

`hashing` says what counts, `records` keeps what was computed, `leases` lets one live run compute a key at a time,
`plan` decides for a whole graph, `decide` for one step at run time, and `explain` puts any decision into words.
"""
