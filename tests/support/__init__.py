"""What tests share: fixtures, which tests/conftest.py names, and what they do not ask pytest for."""
