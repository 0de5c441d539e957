# A rule for each declaration of a figure or table (src/morered/figures/catalogue), and the table that compares a run with the paper.
# A figure's numbers lie beside it as CSV.


for name, figure in FIGURES.items():

    rule:
        name:
            name
        input:
            unpack(inputs_of(figure)),
        output:
            **outputs_of(name, figure),
        log:
            f"{ROOT}/logs/{name}.log",
        params:
            module=figure.draw.__module__,
            plan=plan_of(figure),
            runs=runs_of(figure),
            settings=figure.settings(STUDY),
        conda:
            "../../envs/morered.yaml"
        script:
            "../scripts/draw_figure.py"


rule measure_labels:
    input:
        unpack(labelled),
    output:
        f"{ROOT}/tables/labels.csv",
    log:
        f"{ROOT}/logs/measure_labels.log",
    benchmark:
        f"{ROOT}/benchmarks/measure_labels.tsv"
    params:
        seed=STUDY.settings.seed,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/measure_labels.py"


rule compare_with_paper:
    input:
        unpack(generation_in_comparison),
        unpack(times_in_comparison),
        unpack(labels_in_comparison),
        runs=[STUDY.metrics(*run) for run in STUDY.runs()],
        energies=energies_of_study(),
    output:
        csv=f"{ROOT}/tables/comparison.csv",
        html=report(
            f"{ROOT}/tables/comparison.html",
            caption="../report/comparison.rst",
            category="Tables",
            labels={"table": "this run | paper"},
        ),
        fragment=f"{ROOT}/tables/comparison.fragment.html",
    log:
        f"{ROOT}/logs/compare_with_paper.log",
    params:
        runs=STUDY.runs(),
        panels=STUDY.time_predictors("normal-modes"),
        steps=STUDY.predicted_steps(STUDY.time_predictors("normal-modes").values()),
        trained=unmeasured.trained(STUDY),
        capped=STUDY.plan("figB4")["method"] if "figB4" in STUDY.settings.figures else None,
        reasons=unmeasured.reasons(STUDY),
        note=STUDY.settings.note,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/compare_with_paper.py"
