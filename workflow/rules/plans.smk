# What figures need of the study: runs, tables and structures, found when a figure is made.


def runs_of(methods=None, testsets=None, every_seed=False):
    """(test set, method, seed) of every relaxation that a figure draws; of each method the first seed, or all."""
    return [
        (testset, method, seed)
        for testset in testsets or STUDY.config["testsets"]
        for method in STUDY.methods_of(testset, methods)
        for seed in (STUDY.seeds(method) if every_seed else [0])
    ]


def tables_of(runs):
    return [STUDY.metrics(*run) for run in runs]


def structures_of(runs):
    return [STUDY.relaxed(*run) for run in runs]


def shown(name, caption=None):
    """A figure's three files, the PNG with its caption in the report."""
    stem = STUDY.figure(name)
    picture = report(
        f"{stem}.png",
        caption=f"../report/{caption or name}.rst",
        category="Ablations" if name.startswith("ablation_") else "Figures",
        labels={"figure": name, "study": STUDY.name},
    )
    return {"png": picture, "pdf": f"{stem}.pdf", "csv": f"{stem}.csv"}


def shown_page(name):
    """The page of a figure's molecules, with the figure's caption in the report."""
    return report(
        f"{STUDY.figure(name)}.page.html",
        caption=f"../report/{name}.rst",
        category="Figures",
        labels={"figure": f"{name}, to turn", "study": STUDY.name},
    )


def plan_of(figure):
    """Settings of a rule: the plan of its figure."""

    def plan(wildcards):
        return STUDY.plan(figure)

    return plan


def runs_shown(figure):
    """(test set, method, seed) of the relaxations that a figure shows, in the order of its input files."""
    plan = STUDY.plan(figure)
    if figure == "fig3a":
        return runs_of(plan["panels"].values(), [plan["testset"]])
    testsets = plan.get("testsets") or ([plan["testset"]] if "testset" in plan else None)
    return runs_of(plan.get("methods"), testsets, every_seed=figure == "figB1")


def runs_for(figure):
    """Settings of a rule: the runs of its figure."""

    def runs(wildcards):
        return runs_shown(figure)

    return runs


def tables_for(figure):
    """Input of a rule: the tables of its figure's runs."""

    def tables(wildcards):
        return tables_of(runs_shown(figure))

    return tables


def examples_for(figure):
    """Input of a rule: tables and structures of its figure's runs, test sets and minima, in the order of the plan."""

    def files(wildcards):
        runs, plan = runs_shown(figure), STUDY.plan(figure)
        testsets = plan.get("testsets") or [plan["testset"]]
        return {
            "tables": tables_of(runs),
            "relaxed": structures_of(runs),
            "inputs": [STUDY.inputs(testset) for testset in testsets],
            "minima": [minima_of_testset(testset) for testset in testsets],
        }

    return files


def weights_of_fig2(wildcards):
    return STUDY.weights(STUDY.plan("fig2")["model"])


def followed(wildcards):
    """Trajectories and ends of the two methods of figure 3b, its inputs and their minima."""
    plan = STUDY.plan("fig3b")
    files = {"inputs": STUDY.inputs(plan["testset"]), "minima": minima_of_testset(plan["testset"])}
    for role in ("adaptive", "fixed"):
        files[role] = f"{ROOT}/relax/{plan['testset']}/{plan[role]}/trajectories.h5"
        files[f"{role}_ends"] = f"{ROOT}/relax/{plan['testset']}/{plan[role]}/trajectories.end.h5"
    return files


def images_of_figA1(wildcards):
    """The archive of images, where the study takes one."""
    return {"archive": "results/data/raw/cifar10/cifar-10-python.tar.gz"} if STUDY.config["images"]["source"] == "cifar10" else {}


def times_of_figA1(wildcards):
    """The network that predicts a molecule's times and the test minima, the predicted times of images; what the study has of both."""
    plan = STUDY.plan("figA1")
    files = {} if plan["images"] == "none" else {"images": rules.predict_image_times.output[0]}
    if plan["model"] is not None:
        data = STUDY.data_dir(STUDY.model(plan["model"])["dataset"])
        files |= {"weights": STUDY.weights(plan["model"]), "minima": f"{data}/minima.h5", "split": f"{data}/split.json"}
    return files


def losses_of_figC3(wildcards):
    """Training logs in the order of the plan, and minima to diffuse."""
    plan = STUDY.plan("figC3")
    return {
        "curves": [f"{ROOT}/models/{model}/log.csv" for model in plan["models"]],
        "minima": f"{STUDY.data_dir(plan['dataset'])}/minima.h5",
    }


def networks_of_tableD(wildcards):
    """Inputs to relax for a few steps and the weights of all networks, in the order of the plan."""
    plan = STUDY.plan("tableD")
    return {"structures": STUDY.inputs(plan["testset"]), "weights": [STUDY.weights(model) for model in plan["models"]]}


def energies_of_study():
    """The numbers of figure 6, where the config asks for it."""
    return [f"{STUDY.figure('fig6')}.csv"] if "fig6" in STUDY.config["figures"] else []


def published_results(wildcards):
    """Pictures of the figures that the config asks for, and the numbers of its figures and tables, in the config's order."""
    names = STUDY.config["figures"]
    drawn = [name for name in names if not name.startswith("table")]
    stems = [STUDY.table(name) if name.startswith("table") else STUDY.figure(name) for name in names]
    return {"pictures": [f"{STUDY.figure(name)}.png" for name in drawn], "numbers": [f"{stem}.csv" for stem in stems]}


def remarks_on_results(wildcards):
    """What was written by hand on this study's results, where there is something."""
    path = f"{workflow.basedir}/docs/remarks/{STUDY.name}.md"
    return [path] if Path(path).is_file() else []


def commands_of_study(wildcards):
    config = " ".join(f"--configfile {Path(path).parent.name}/{Path(path).name}" for path in workflow.overwrite_configfiles)
    return [f"snakemake --cores all {config}".rstrip()]
