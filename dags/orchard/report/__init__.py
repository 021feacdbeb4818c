"""The report of a published run: one HTML file that needs nothing else, made from what is in the lake."""
