"""How Sphinx makes the pages of `make docs`; a link that leads nowhere, or a docstring that does not parse, fails."""

from importlib import metadata

project = "morered"
release = metadata.version("morered")
html_title = f"morered {release}"
html_theme = "furo"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["remarks"]  # parts of the results page
myst_enable_extensions = ["fieldlist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
default_role = "code"  # `name` in a docstring is code
