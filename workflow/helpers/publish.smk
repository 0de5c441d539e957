# What the page of a study's results is made from.

# Name of weights that ship -> the model that they are of.
SHIPPING = {model.ships_as: name for name, model in STUDY.settings.models.items() if model.ships_as and "@" not in name}


def published_results(wildcards):
    """Pictures of the figures that the config asks for, and the numbers of its figures and tables, in the config's order."""
    names = STUDY.settings.figures
    return {"pictures": figures_of_study(), "numbers": [f"{FIGURES[name].stem(STUDY, name)}.csv" for name in names]}


def captions_of_figures(wildcards):
    """What each figure and table shows, as in the report."""
    return config["captions"]


def remarks_on_results(wildcards):
    """What was written by hand on this study's results, where there is something."""
    path = f"{workflow.basedir}/docs/remarks/{STUDY.name}.md"
    return [path] if Path(path).is_file() else []


def commands_of_study(wildcards):
    config = " ".join(f"--configfile {Path(path).parent.name}/{Path(path).name}" for path in workflow.overwrite_configfiles)
    return [f"snakemake --cores all {config}".rstrip()]
