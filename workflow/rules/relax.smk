# Every method relaxes every test set it is asked to, in chunks; they are put together, and each structure gets its metrics.


rule relax_structures:
    input:
        unpack(weights_of),
        structures=f"{ROOT}/testsets/{{testset}}.h5",
        split=split_of,
    output:
        f"{ROOT}/relax/{{testset}}/{{method}}/seed{{seed}}.parts/{{chunk}}.h5",
    log:
        f"{ROOT}/logs/relax_structures/{{testset}}/{{method}}/seed{{seed}}.{{chunk}}.log",
    benchmark:
        f"{ROOT}/benchmarks/relax_structures/{{testset}}/{{method}}/seed{{seed}}.{{chunk}}.tsv"
    params:
        settings=method_settings,
        chunks=lambda wildcards: len(STUDY.chunks(wildcards.method, int(wildcards.seed))),
        sample=lambda wildcards: STUDY.sampled_for(wildcards.method, int(wildcards.seed)),
        sample_seed=STUDY.settings.seed,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/relax_structures.py"


rule evaluate_relaxation:
    input:
        parts=lambda wildcards: [
            f"{ROOT}/relax/{wildcards.testset}/{wildcards.method}/seed{wildcards.seed}.parts/{chunk}.h5"
            for chunk in STUDY.chunks(wildcards.method, int(wildcards.seed))
        ],
        inputs=f"{ROOT}/testsets/{{testset}}.h5",
        minima=minima_of,
    output:
        relaxed=f"{ROOT}/relax/{{testset}}/{{method}}/seed{{seed}}.h5",
        metrics=f"{ROOT}/relax/{{testset}}/{{method}}/seed{{seed}}.csv",
    log:
        f"{ROOT}/logs/evaluate_relaxation/{{testset}}/{{method}}/seed{{seed}}.log",
    params:
        sampled=lambda wildcards: STUDY.sampled_for(wildcards.method, int(wildcards.seed)) is not None,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/evaluate_relaxation.py"


rule record_trajectories:
    input:
        unpack(weights_of),
        structures=f"{ROOT}/testsets/{{testset}}.h5",
        minima=minima_of,
        split=split_of,
    output:
        steps=f"{ROOT}/relax/{{testset}}/{{method}}/trajectories.h5",
        relaxed=f"{ROOT}/relax/{{testset}}/{{method}}/trajectories.end.h5",
    log:
        f"{ROOT}/logs/record_trajectories/{{testset}}/{{method}}.log",
    params:
        settings=method_settings,
        molecules=STUDY.settings.trajectories.molecules,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/record_trajectories.py"


rule time_steps:
    input:
        unpack(networks_timed),
    output:
        f"{ROOT}/tables/step_times.csv",
    log:
        f"{ROOT}/logs/time_steps.log",
    params:
        plan=plan_of(FIGURES["tableD"]),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/time_steps.py"
