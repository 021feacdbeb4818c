"""Code that tests share: fixtures, which tests/conftest.py lists, and functions."""
