# Published files, each by a job of its own. The part of a download that was stopped lies beside it, and a rerun goes on from there.


localrules:
    download_file,


rule download_file:
    output:
        "results/data/raw/{raw}/{file}",
    log:
        "results/data/raw/{raw}/logs/download_file/{file}.log",
    benchmark:
        "results/data/raw/{raw}/benchmarks/download_file/{file}.tsv"
    wildcard_constraints:
        raw=downloaded(-2),
        file=downloaded(-1),
    params:
        source=source_of,
        digests=digests_of,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/download_file.py"
