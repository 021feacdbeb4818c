"""``orchard canary``: a run of 20 drawn images on a real cluster, and an idle cluster that EMR has to end.

A check is a row of ``checks.CHECKS``; what becomes of the list *Not proved* is in ``claims``. All that a
canary makes is below ``<lake>/runs/<its name>`` and in EMR's logs; ``traces`` removes it, whatever happens.
"""
