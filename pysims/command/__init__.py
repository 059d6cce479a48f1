"""What `pysims …` does: a module for each verb, and what they have in common.

`choice` is how a run is chosen, `shown` what a terminal shows; `runs`, `sweeps`, `plots`, `links`
and `listing` are the verbs. Whatever is not allowed is a `ValueError`, whose sentence is printed.
"""
