"""Parquet files: reading, writing, merging by path, and converting list columns to matrices."""
