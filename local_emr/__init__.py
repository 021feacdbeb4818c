"""The local EMR: an Amazon EMR server on loopback that runs bootstrap actions and steps as real processes.

README.md describes what it does, what it does not do, and how to use it in tests.
"""
