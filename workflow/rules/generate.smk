# Molecules from pure noise: compositions drawn from the data, every sampler's structures for them, and what these are worth.


wildcard_constraints:
    sampler=one_of(SAMPLERS),


rule draw_compositions:
    input:
        unpack(drawn_from),
    output:
        compositions=f"{GENERATION}/compositions.h5",
        known=f"{GENERATION}/known.csv",
    log:
        f"{ROOT}/logs/draw_compositions.log",
    params:
        molecules=STUDY.config["generation"]["molecules"],
        part=STUDY.config["generation"]["split"],
        seed=generation.seed(STUDY),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/draw_compositions.py"


rule generate_structures:
    input:
        unpack(weights_of_sampler),
        compositions=rules.draw_compositions.output.compositions,
        split=split_of_samplers,
    output:
        f"{GENERATION}/{{sampler}}/samples.parts/{{chunk}}.h5",
    log:
        f"{ROOT}/logs/generate_structures/{{sampler}}.{{chunk}}.log",
    benchmark:
        f"{ROOT}/benchmarks/generate_structures/{{sampler}}.{{chunk}}.tsv"
    params:
        steps=cap_of_sampler,
        chunks=chunks_of_sampler,
        seed=generation.seed(STUDY),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/generate_structures.py"


rule examine_samples:
    input:
        samples_in_parts,
    output:
        samples=f"{GENERATION}/{{sampler}}/samples.h5",
        table=f"{GENERATION}/{{sampler}}/samples.csv",
    log:
        f"{ROOT}/logs/examine_samples/{{sampler}}.log",
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/examine_samples.py"


rule generate_to_caps:
    input:
        unpack(weights_of_sampler),
        compositions=rules.draw_compositions.output.compositions,
        split=split_of_samplers,
    output:
        f"{GENERATION}/{{sampler}}/caps.parts/{{chunk}}.h5",
    log:
        f"{ROOT}/logs/generate_to_caps/{{sampler}}.{{chunk}}.log",
    benchmark:
        f"{ROOT}/benchmarks/generate_to_caps/{{sampler}}.{{chunk}}.tsv"
    params:
        caps=STUDY.config["generation"]["caps"]["steps"],
        molecules=STUDY.config["generation"]["caps"]["molecules"],
        chunks=STUDY.config["generation"]["caps"]["chunks"],
        seed=generation.seed(STUDY),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/generate_to_caps.py"


rule examine_capped:
    input:
        capped_in_parts,
    output:
        f"{GENERATION}/{{sampler}}/caps.csv",
    log:
        f"{ROOT}/logs/examine_capped/{{sampler}}.log",
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/examine_capped.py"


rule record_sampling:
    input:
        unpack(weights_of_sampler),
        compositions=rules.draw_compositions.output.compositions,
        split=split_of_samplers,
    output:
        steps=f"{GENERATION}/{{sampler}}/trajectories.h5",
        table=f"{GENERATION}/{{sampler}}/trajectories.end.csv",
    log:
        f"{ROOT}/logs/record_sampling/{{sampler}}.log",
    params:
        steps=cap_of_sampler,
        molecules=STUDY.config["generation"]["trajectories"],
        seed=generation.seed(STUDY),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/record_sampling.py"


rule figB4:
    input:
        unpack(shown_of_figB4),
    output:
        **shown("figB4"),
        steps=f"{STUDY.figure('figB4')}.steps.csv",
    log:
        f"{ROOT}/logs/figB4.log",
    params:
        plan=plan_of("figB4"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/figB4.py"


# Grids of generated molecules: D1 with the adaptive, D2 with the fixed schedule.
for grid in ("figD1", "figD2"):

    rule:
        name:
            grid
        input:
            unpack(samples_for(grid)),
        output:
            **shown(grid),
        log:
            f"{ROOT}/logs/{grid}.log",
        params:
            plan=plan_of(grid),
        conda:
            "../../envs/morered.yaml"
        script:
            "../scripts/show_samples.py"


rule tableB1:
    input:
        tables=tables_of_samples,
        known=rules.draw_compositions.output.known,
    output:
        csv=f"{STUDY.table('tableB1')}.csv",
        html=report(
            f"{STUDY.table('tableB1')}.html",
            caption="../report/tableB1.rst",
            category="Tables",
            labels={"table": "generated molecules"},
        ),
    log:
        f"{ROOT}/logs/tableB1.log",
    params:
        plan=plan_of("tableB1"),
        note=STUDY.config["note"],
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/tableB1.py"
