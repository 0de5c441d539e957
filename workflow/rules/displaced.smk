# Displaced structures of the training and validation graphs with energies and forces, where QM7-X's own are not at hand.


rule displace_for_training:
    input:
        minima=minima_of,
        split=split_of,
    output:
        "results/data/{data}/{displaced}.parts/{chunk}.h5",
    log:
        "results/data/{data}/logs/{displaced}/{chunk}.log",
    benchmark:
        "results/data/{data}/benchmarks/{displaced}/{chunk}.tsv"
    wildcard_constraints:
        displaced=r"displaced-[0-9a-f]+",
    params:
        settings=displaced_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/displace_for_training.py"


rule gather_displaced:
    input:
        displaced_parts,
    output:
        "results/data/{data}/{displaced}.h5",
    log:
        "results/data/{data}/logs/{displaced}/gather.log",
    wildcard_constraints:
        displaced=r"displaced-[0-9a-f]+",
    params:
        settings=displaced_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/gather_displaced.py"
