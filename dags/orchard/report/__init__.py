"""The report of a published run: one self-contained HTML file, built from the lake."""
