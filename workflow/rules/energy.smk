# PBE0+MBD of a sample of relaxed structures (figure 6), and what optimisations cost that start from them (savings). Geometries that are
# identical are computed once; each result is kept as soon as it is there, so that a job that died goes on where it was.


rule sample_energies:
    input:
        unpack(sampled("fig6")),
    output:
        geometries=f"{ROOT}/energies/geometries.h5",
        sources=f"{ROOT}/energies/sources.csv",
    log:
        f"{ROOT}/logs/sample_energies.log",
    params:
        settings=STUDY.sampling("energies"),
        methods=lambda wildcards: methods_sampled("fig6"),
    conda:
        "../../envs/morered.yaml"
    message:
        f"Sample inputs for figure 6: {cost_of_energies()}."
    script:
        "../scripts/sample_geometries.py"


rule compute_energies:
    input:
        rules.sample_energies.output.geometries,
    output:
        f"{ROOT}/energies/parts/{{chunk}}.h5",
    log:
        f"{ROOT}/logs/compute_energies/{{chunk}}.log",
    benchmark:
        f"{ROOT}/benchmarks/compute_energies/{{chunk}}.tsv"
    params:
        level=STUDY.level("energies"),
        chunks=STUDY.settings.energies.chunks,
        timeout=STUDY.settings.energies.timeout,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/compute_energies.py"


rule gather_energies:
    input:
        sources=rules.sample_energies.output.sources,
        parts=[f"{ROOT}/energies/parts/{chunk}.h5" for chunk in range(STUDY.settings.energies.chunks)],
    output:
        f"{ROOT}/energies/energies.csv",
    log:
        f"{ROOT}/logs/gather_energies.log",
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/gather_energies.py"


rule sample_savings:
    input:
        unpack(sampled("savings")),
    output:
        geometries=f"{ROOT}/savings/geometries.h5",
        sources=f"{ROOT}/savings/sources.csv",
    log:
        f"{ROOT}/logs/sample_savings.log",
    params:
        settings=STUDY.sampling("savings"),
        methods=lambda wildcards: methods_sampled("savings"),
    conda:
        "../../envs/morered.yaml"
    message:
        f"Sample inputs for the figure savings: {cost_of_savings()}."
    script:
        "../scripts/sample_geometries.py"


rule optimise_geometries:
    input:
        rules.sample_savings.output.geometries,
    output:
        f"{ROOT}/savings/{{calculator}}.parts/{{chunk}}.h5",
    log:
        f"{ROOT}/logs/optimise_geometries/{{calculator}}.{{chunk}}.log",
    benchmark:
        f"{ROOT}/benchmarks/optimise_geometries/{{calculator}}.{{chunk}}.tsv"
    wildcard_constraints:
        calculator="pbe0|gfn2|gfn1|aimnet2",
    params:
        level=level_of_savings,
        steps=STUDY.settings.savings.steps,
        chunks=lambda wildcards: STUDY.chunks_of_savings(wildcards.calculator),
        timeout=STUDY.settings.savings.timeout,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/optimise_geometries.py"


rule gather_savings:
    input:
        **{
            calculator: [f"{ROOT}/savings/{calculator}.parts/{chunk}.h5" for chunk in range(STUDY.chunks_of_savings(calculator))]
            for calculator in STUDY.settings.savings.calculators
        },
        geometries=rules.sample_savings.output.geometries,
        sources=rules.sample_savings.output.sources,
    output:
        f"{ROOT}/savings/savings.csv",
    log:
        f"{ROOT}/logs/gather_savings.log",
    params:
        calculators=list(STUDY.settings.savings.calculators),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/gather_savings.py"
