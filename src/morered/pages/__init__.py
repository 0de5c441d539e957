"""Pages for people: HTML files that hold everything they show and need no network."""

from morered.pages.curves import Stage
from morered.pages.page import write_page

__all__ = ["Stage", "write_page"]
