"""The generated parts of the reference pages: ``python -m docs.generate`` writes them.

Prose is written in the pages themselves. What code says stands between ``<!-- generated: NAME -->`` and
``<!-- end -->``; tests compare it with what the code says now.
"""
