# QM9 from figshare, or from a package that has the same molecules.


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
        table=table_of,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/prepare_qm9.py"
