# Figures and tables of the paper, each a target of its own name. A figure's numbers lie beside it as CSV.


def runs_of(methods=None, testsets=None):
    """(test set, method, seed) of every relaxation that a figure draws."""
    return [
        (testset, method, seed)
        for testset in testsets or STUDY.config["testsets"]
        for method in STUDY.methods_of(testset, methods)
        for seed in STUDY.seeds(method)
    ]


def tables_of(runs):
    return [STUDY.metrics(*run) for run in runs]


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


FOLLOWED = STUDY.config["trajectories"]
FIG3A = {"testset": "normal-modes", "panels": STUDY.time_predictors("normal-modes")}


rule fig3a:
    input:
        tables_of(runs_of(FIG3A["panels"].values(), [FIG3A["testset"]])),
    output:
        **shown("fig3a"),
    log:
        f"{ROOT}/logs/fig3a.log",
    params:
        runs=runs_of(FIG3A["panels"].values(), [FIG3A["testset"]]),
        **FIG3A,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/fig3a.py"


rule fig3b:
    input:
        adaptive=f"{ROOT}/relax/{FOLLOWED['testset']}/{FOLLOWED['adaptive']}/trajectories.h5",
        fixed=f"{ROOT}/relax/{FOLLOWED['testset']}/{FOLLOWED['fixed']}/trajectories.h5",
        adaptive_ends=f"{ROOT}/relax/{FOLLOWED['testset']}/{FOLLOWED['adaptive']}/trajectories.end.h5",
        fixed_ends=f"{ROOT}/relax/{FOLLOWED['testset']}/{FOLLOWED['fixed']}/trajectories.end.h5",
        inputs=f"{ROOT}/testsets/{FOLLOWED['testset']}.h5",
        minima=minima_of_testset(FOLLOWED["testset"]),
    output:
        **shown("fig3b"),
    log:
        f"{ROOT}/logs/fig3b.log",
    params:
        names=(FOLLOWED["adaptive"], FOLLOWED["fixed"]),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/fig3b.py"


rule fig4:
    input:
        tables_of(runs_of()),
    output:
        **shown("fig4"),
    log:
        f"{ROOT}/logs/fig4.log",
    params:
        runs=runs_of(),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/fig4.py"


rule compare_with_paper:
    input:
        tables_of(runs_of()),
    output:
        csv=f"{ROOT}/tables/comparison.csv",
        html=report(f"{ROOT}/tables/comparison.html", caption="../report/comparison.rst", category="Tables", labels={"table": "this run | paper"}),
        fragment=f"{ROOT}/tables/comparison.fragment.html",
    log:
        f"{ROOT}/logs/compare_with_paper.log",
    params:
        runs=runs_of(),
        panels=FIG3A["panels"],
        note=STUDY.config["note"],
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/compare_with_paper.py"


# One target per sweep: its methods, entry by entry, on its test sets.
for sweep in STUDY.ablations.values():

    rule:
        name:
            f"ablation_{sweep.name}"
        input:
            [path for methods in sweep.entries.values() for path in tables_of(runs_of(methods, sweep.testsets))],
        output:
            **shown(f"ablation_{sweep.name}", caption="ablation"),
        log:
            f"{ROOT}/logs/ablation_{sweep.name}.log",
        params:
            runs={entry: runs_of(methods, sweep.testsets) for entry, methods in sweep.entries.items()},
            methods=sweep.methods,
            title=sweep.description or sweep.name,
        conda:
            "../../envs/morered.yaml"
        script:
            "../scripts/ablation.py"
