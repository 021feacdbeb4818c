"""The local EMR: speaks the protocol of Amazon EMR on loopback and really runs what it is asked to run.

README.md says what it does, what it does not, and how to use it in tests.
"""
