"""Subcommands of `morered`: a docstring, EXAMPLES, add_arguments and run in each module."""
