"""Exact principal components: integer statistics, the basis, and which rows count."""
