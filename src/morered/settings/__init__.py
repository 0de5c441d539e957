"""Typed definitions of all that a config, a preset or a weights file can say: a class for each thing, a field for each key.

A field holds its key's meaning, default and limits (`base.key`). From the classes come the checks of what is built in Python
(`base.Settings`), the reading of plain values with pydantic (`reading.read`), the JSON schema, and the keys in `config/README.md`
(`documentation`). Nothing here imports PyTorch, and only `reading` imports pydantic, when it is called.
"""
