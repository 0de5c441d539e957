"""Fixtures of `datasets_support` for the tests of datasets."""

from datasets_support import qm7x, qm7x_writer, server

__all__ = ["qm7x", "qm7x_writer", "server"]
