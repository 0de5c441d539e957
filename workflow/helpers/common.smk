# What all rules share: the study, checked; helpers that turn wildcards into paths and settings.
import os
import re
import signal
import sys
from pathlib import Path

from morered.figures.declaration import in_catalogue
from morered.study import ConfigError, Study, downloads

CONFIG_DIR = f"{workflow.basedir}/config"

try:
    STUDY = Study(config, f"{CONFIG_DIR}/ablations")
    DOWNLOADS = downloads.listed(STUDY)
except ConfigError as error:
    # A fault of the config is no fault of the workflow: its message, no traceback of the workflow's inside.
    sys.exit(f"{', '.join(map(str, workflow.overwrite_configfiles)) or 'config/config.yaml'}: {error}")

# Slurm's warning before the time limit goes to all processes of a job, and is the training's alone: it writes a checkpoint and has its
# job queued again.
if "SLURM_JOB_ID" in os.environ:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)

ROOT = STUDY.root
DATA_DIRS = {STUDY.data_dir(name): name for name in STUDY.settings.datasets}


def one_of(names):
    """A wildcard constraint that takes these names only, and nothing where there is none."""
    return "|".join(re.escape(str(name)) for name in names) or "(?!)"


def data_of_kind(kind):
    return one_of(Path(path).name for path, name in DATA_DIRS.items() if STUDY.settings.datasets[name].kind == kind)


def models_from(*sources):
    """Models whose weights are trained here, shipped, or a file's ("file")."""
    return one_of(
        name
        for name, model in STUDY.settings.models.items()
        if (model.source if model.source in ("train", "shipped") else "file") in sources
    )


def testsets_of(*kinds):
    return one_of(name for name, testset in STUDY.settings.testsets.items() if testset.kind in kinds)


def dataset_of(wildcards):
    """The dataset that a rule's wildcards speak of, by its folder, a model or a test set."""
    if "data" in wildcards.keys():
        return DATA_DIRS[f"results/data/{wildcards.data}"]
    if "model" in wildcards.keys():
        return STUDY.settings.models[wildcards.model].dataset
    return STUDY.settings.testsets[wildcards.testset].dataset


def dataset_settings(wildcards):
    return STUDY.settings.datasets[dataset_of(wildcards)]


def minima_of(wildcards):
    """The minima of a dataset, of a model's, or those that a test set's inputs belong to."""
    if "testset" in wildcards.keys():
        return STUDY.minima(wildcards.testset)
    return f"{STUDY.data_dir(dataset_of(wildcards))}/minima.h5"


def split_of(wildcards):
    return f"{STUDY.data_dir(dataset_of(wildcards))}/split.json"


def testset_settings(wildcards):
    return STUDY.testset_settings(wildcards.testset)


def network_settings(wildcards):
    return STUDY.network_settings(wildcards.model)


def method_settings(wildcards):
    return STUDY.method_settings(wildcards.method)


def weights_of(wildcards):
    """Role -> weights file of each model that a method uses."""
    return {role: STUDY.weights(model) for role, model in STUDY.models_of(wildcards.method).items()}


def figures_of_study():
    """All figures that the config asks for."""
    return [f"{STUDY.figure(name)}.png" for name in in_catalogue(STUDY.settings.figures, pictures=True)]


def tables_of_study():
    """All tables that the config asks for, and the one that opens the report."""
    asked = in_catalogue(STUDY.settings.figures, pictures=False)
    opening = ["comparison"] if STUDY.settings.datasets else []
    return [f"{STUDY.table(name)}.csv" for name in [*asked, *opening]]


def library_file(wildcards):
    return STUDY.settings.libraries[wildcards.library].file


def library_settings(wildcards):
    """What the results of a library depend on besides its file."""
    return {key: value for key, value in STUDY.settings.libraries[wildcards.library].to_dict().items() if key != "file"}


def library_chunks(ending):
    """The files of this kind that a library is relaxed to."""

    def chunks(wildcards):
        folder = f"{ROOT}/libraries/{wildcards.library}/chunks"
        return [f"{folder}/{chunk}.{ending}" for chunk in range(STUDY.settings.libraries[wildcards.library].chunks)]

    return chunks


def libraries_of_study():
    """What is made of each library that the config names."""
    return [f"{ROOT}/libraries/{name}/report.html" for name in STUDY.settings.libraries]


def opening_of_report():
    """The report's first page: this run beside the paper, where that table has been made already."""
    made = Path(f"{ROOT}/tables/comparison.fragment.html").is_file()
    return "workflow/report/workflow.rst" if made else "workflow/report/unfinished.rst"


wildcard_constraints:
    data=one_of(Path(path).name for path in DATA_DIRS),
    model=one_of(STUDY.settings.models),
    method=one_of(STUDY.settings.methods),
    testset=one_of(STUDY.settings.testsets),
    library=one_of(STUDY.settings.libraries),
    seed=r"\d+",
    chunk=r"\d+",
