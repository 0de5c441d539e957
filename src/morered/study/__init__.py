"""A study: what a config file asks for, its ablations expanded to named things.

Nothing here imports the numerical parts of the package, so that the workflow parses in a moment.
"""

from morered.settings.reading import ConfigError
from morered.study.ablations import Ablation, expand
from morered.study.study import Study

__all__ = ["Ablation", "ConfigError", "Study", "expand"]
