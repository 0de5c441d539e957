# Molecules of your own: minima are made in chunks, then joined without duplicates and split by graph.


rule relax_custom:
    input:
        custom_file,
    output:
        "results/data/raw/{custom}/minima.parts/{chunk}.h5",
    log:
        "results/data/raw/{custom}/logs/relax_custom/{chunk}.log",
    benchmark:
        "results/data/raw/{custom}/benchmarks/relax_custom/{chunk}.tsv"
    wildcard_constraints:
        custom=one_of(CUSTOM),
    params:
        settings=custom_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/relax_custom.py"


rule prepare_custom:
    input:
        custom_parts,
    output:
        minima="results/data/{data}/minima.h5",
        split="results/data/{data}/split.json",
    log:
        "results/data/{data}/logs/prepare_custom.log",
    wildcard_constraints:
        data=data_of_kind("custom"),
    params:
        split=split_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/prepare_custom.py"
