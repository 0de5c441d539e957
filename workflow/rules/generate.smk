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
        molecules=STUDY.settings.generation.molecules,
        part="test",
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
        caps=list(STUDY.settings.generation.caps.steps),
        molecules=STUDY.settings.generation.caps.molecules,
        chunks=STUDY.settings.generation.caps.chunks,
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
        molecules=STUDY.settings.generation.trajectories,
        seed=generation.seed(STUDY),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/record_sampling.py"


rule record_reverse_process:
    input:
        weights=lambda wildcards: STUDY.weights(STUDY.plan("fig2")["model"]),
    output:
        trajectories=f"{ROOT}/relax/imidazole/trajectories.h5",
        coordinates=f"{ROOT}/relax/imidazole/processes.csv",
    log:
        f"{ROOT}/logs/record_reverse_process.log",
    params:
        steps=list(STUDY.settings.process.steps),
        seed=STUDY.settings.seed,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/record_reverse_process.py"
