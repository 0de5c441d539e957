"""A study: what a config file asks for, checked against the schema, its ablations expanded to named things.

Nothing here imports the numerical parts of the package, so that the workflow parses in a moment.
"""

from morered.study.ablations import Ablation, expand
from morered.study.schema import ConfigError, check, load_schema
from morered.study.study import Study

__all__ = ["Ablation", "ConfigError", "Study", "check", "expand", "load_schema"]
