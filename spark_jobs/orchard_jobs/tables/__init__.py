"""Tables in Parquet files: read and written, merged by path, and columns of lists as matrices."""
