"""The subcommands, one module per subject: each parses, calls the package that does the work, and prints."""
