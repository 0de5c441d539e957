# What the rules of figures and tables have in common; what each of them is stands in its declaration
# (src/morered/figures/catalogue).
from morered.figures import unmeasured
from morered.figures.declaration import figures_of

FIGURES = figures_of(STUDY)

# Captions stand in the declarations: workflow/report/figure.rst, the caption of all, takes them from here.
config["captions"] = {name: figure.caption for name, figure in FIGURES.items()}


def inputs_of(figure):
    """Input of a rule: the files that its figure is made from."""

    def files(wildcards):
        return figure.input_files(STUDY)

    return files


def outputs_of(name, figure):
    """Output of a rule: the files of its figure, those that people look at with caption and labels in the report."""
    files = figure.output_files(STUDY, name)
    for key, (category, labels) in figure.shown_files(STUDY, name).items():
        files[key] = report(files[key], caption="../report/figure.rst", category=category, labels=labels)
    return files


def plan_of(figure):
    """Settings of a rule: what a figure shows. It is asked for where the figure is made, and says what a study lacks for it."""

    def plan(wildcards):
        return figure.plan(STUDY)

    return plan


def runs_of(figure):
    """Settings of a rule: the relaxations that a figure shows, in the order of their files."""

    def runs(wildcards):
        return figure.shown_runs(STUDY)

    return runs


def sweeps_of_study():
    """The figures of each sweep that the config names."""
    return [STUDY.figure(name) + ".png" for name, figure in FIGURES.items() if figure.category == "Ablations"]


def endings_of_study():
    """The table of where results end, where the config asks for it."""
    return [f"{STUDY.table('endings')}.csv"] if "endings" in STUDY.settings.figures else []


def energies_of_study():
    """The numbers of figure 6, where the config asks for it."""
    return [f"{STUDY.figure('fig6')}.csv"] if "fig6" in STUDY.settings.figures else []


def times_in_comparison(wildcards):
    """Table D's steps and trainings, where the config asks for it."""
    stem = STUDY.table("tableD")
    return {"steps": f"{stem}.steps.csv", "trainings": f"{stem}.training.csv"} if "tableD" in STUDY.settings.figures else {}


def labels_in_comparison(wildcards):
    """What the labels of QM7-X say, where the study takes it."""
    return {"labels": f"{ROOT}/tables/labels.csv"} if unmeasured.labelled_datasets(STUDY) else {}


def labelled(wildcards):
    """Structures of QM7-X and their split, and the weights of the force field that learned from them."""
    dataset, model = unmeasured.labelled_datasets(STUDY)[0], unmeasured.labelled_model(STUDY)
    files = {"structures": STUDY.labelled(dataset), "split": f"{STUDY.data_dir(dataset)}/split.json"}
    return files if model is None else {**files, "weights": STUDY.weights(model)}


def images_shown(wildcards):
    """The archive of images, where figure A1 takes one."""
    return {"archive": "results/data/raw/cifar10/cifar-10-python.tar.gz"} if STUDY.settings.images.source == "cifar10" else {}


def networks_timed(wildcards):
    """Inputs to relax for a few steps and the weights of all networks of table D, in the order of its plan."""
    plan = STUDY.plan("tableD")
    return {"structures": STUDY.inputs(plan["testset"]), "weights": [STUDY.weights(model) for model in plan["models"]]}
