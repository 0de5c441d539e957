# Figures and tables of the paper, each a target of its own name. A figure's numbers lie beside it as CSV. What a figure shows of the
# study is its plan (src/morered/study/figures.py): it is asked for only where the figure is made, and says what a study lacks for it.


rule fig1:
    output:
        **shown("fig1"),
    log:
        f"{ROOT}/logs/fig1.log",
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/fig1.py"


rule record_reverse_process:
    input:
        weights=weights_of_fig2,
    output:
        f"{ROOT}/relax/imidazole/trajectories.h5",
    log:
        f"{ROOT}/logs/record_reverse_process.log",
    params:
        steps=STUDY.config["process"]["steps"],
        seed=STUDY.config["seed"],
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/record_reverse_process.py"


rule fig2:
    input:
        trajectories=rules.record_reverse_process.output[0],
        weights=weights_of_fig2,
    output:
        **shown("fig2"),
    log:
        f"{ROOT}/logs/fig2.log",
    params:
        steps=STUDY.config["process"]["steps"],
        seed=STUDY.config["seed"],
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/fig2.py"


rule fig3a:
    input:
        tables_for("fig3a"),
    output:
        **shown("fig3a"),
        summary=f"{STUDY.figure('fig3a')}.summary.csv",
    log:
        f"{ROOT}/logs/fig3a.log",
    params:
        runs=runs_for("fig3a"),
        plan=plan_of("fig3a"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/fig3a.py"


rule fig3b:
    input:
        unpack(followed),
    output:
        **shown("fig3b"),
        rmsd=f"{STUDY.figure('fig3b')}.rmsd.csv",
    log:
        f"{ROOT}/logs/fig3b.log",
    params:
        plan=plan_of("fig3b"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/fig3b.py"


rule fig4:
    input:
        tables_for("fig4"),
    output:
        **shown("fig4"),
    log:
        f"{ROOT}/logs/fig4.log",
    params:
        runs=runs_for("fig4"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/fig4.py"


rule fig5:
    input:
        unpack(examples_for("fig5")),
    output:
        **shown("fig5"),
        page=shown_page("fig5"),
    log:
        f"{ROOT}/logs/fig5.log",
    params:
        runs=runs_for("fig5"),
        plan=plan_of("fig5"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/fig5.py"


rule predict_image_times:
    input:
        unpack(images_of_figA1),
    output:
        f"{ROOT}/models/image_times/predictions.csv",
    log:
        f"{ROOT}/logs/predict_image_times.log",
    benchmark:
        f"{ROOT}/benchmarks/predict_image_times.tsv"
    params:
        training_steps=STUDY.config["images"]["training_steps"],
        features=STUDY.config["images"]["features"],
        seed=STUDY.config["seed"],
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/predict_image_times.py"


rule figA1:
    input:
        unpack(times_of_figA1),
    output:
        **shown("figA1"),
        times=f"{STUDY.figure('figA1')}.times.csv",
    log:
        f"{ROOT}/logs/figA1.log",
    params:
        seed=STUDY.config["seed"],
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/figA1.py"


rule figB1:
    input:
        tables_for("figB1"),
    output:
        **shown("figB1"),
        bins=f"{STUDY.figure('figB1')}.bins.csv",
        points=f"{STUDY.figure('figB1')}.points.csv",
    log:
        f"{ROOT}/logs/figB1.log",
    params:
        runs=runs_for("figB1"),
        plan=plan_of("figB1"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/figB1.py"


rule figB2:
    input:
        unpack(examples_for("figB2")),
    output:
        **shown("figB2"),
        page=shown_page("figB2"),
    log:
        f"{ROOT}/logs/figB2.log",
    params:
        runs=runs_for("figB2"),
        plan=plan_of("figB2"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/figB2.py"


rule figB3:
    input:
        tables_for("figB3"),
    output:
        **shown("figB3"),
    log:
        f"{ROOT}/logs/figB3.log",
    params:
        runs=runs_for("figB3"),
        plan=plan_of("figB3"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/figB3.py"


rule evaluations:
    input:
        tables_for("evaluations"),
    output:
        **shown("evaluations"),
    log:
        f"{ROOT}/logs/evaluations.log",
    params:
        runs=runs_for("evaluations"),
        plan=plan_of("evaluations"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/evaluations.py"


rule figC3:
    input:
        unpack(losses_of_figC3),
    output:
        **shown("figC3"),
        molecule=f"{STUDY.figure('figC3')}.molecule.csv",
    log:
        f"{ROOT}/logs/figC3.log",
    params:
        plan=plan_of("figC3"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/figC3.py"


rule time_steps:
    input:
        unpack(networks_of_tableD),
    output:
        f"{ROOT}/tables/step_times.csv",
    log:
        f"{ROOT}/logs/time_steps.log",
    params:
        plan=plan_of("tableD"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/time_steps.py"


rule tableD:
    input:
        unpack(networks_of_tableD),
        tables=tables_for("fig4"),
        steps=rules.time_steps.output[0],
    output:
        csv=f"{STUDY.table('tableD')}.csv",
        html=report(
            f"{STUDY.table('tableD')}.html",
            caption="../report/tableD.rst",
            category="Tables",
            labels={"table": "steps and times"},
        ),
        steps=f"{STUDY.table('tableD')}.steps.csv",
        training=f"{STUDY.table('tableD')}.training.csv",
    log:
        f"{ROOT}/logs/tableD.log",
    params:
        runs=runs_for("fig4"),
        plan=plan_of("tableD"),
        note=STUDY.config["note"],
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/tableD.py"


rule compare_with_paper:
    input:
        unpack(generation_in_comparison),
        runs=tables_of(runs_of()),
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
        runs=runs_of(),
        panels=STUDY.time_predictors("normal-modes"),
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
