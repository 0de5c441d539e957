# QM7-X: each of its eight files is unpacked and parsed by a job of its own, then they are joined.


rule unpack_file:
    input:
        "results/data/raw/{raw}/{archive}.xz",
    output:
        temp("results/data/raw/{raw}/{archive}.hdf5"),
    log:
        "results/data/raw/{raw}/logs/unpack_file/{archive}.log",
    benchmark:
        "results/data/raw/{raw}/benchmarks/unpack_file/{archive}.tsv"
    wildcard_constraints:
        raw=downloaded(-2),
        archive=r"\d+",
    params:
        source=source_of,
        digests=digests_of,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/unpack_file.py"


rule parse_qm7x:
    input:
        "results/data/raw/{raw}/{archive}.hdf5",
    output:
        "results/data/raw/{raw}/{archive}.h5",
    log:
        "results/data/raw/{raw}/logs/parse_qm7x/{archive}.log",
    benchmark:
        "results/data/raw/{raw}/benchmarks/parse_qm7x/{archive}.tsv"
    wildcard_constraints:
        raw=downloaded(-2),
        archive=r"\d+",
    params:
        source=source_of,
        digests=digests_of,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/parse_qm7x.py"


rule join_qm7x:
    input:
        unpack(qm7x_files),
    output:
        structures="results/data/{data}/structures.h5",
        minima="results/data/{data}/minima.h5",
        split="results/data/{data}/split.json",
    log:
        "results/data/{data}/logs/join_qm7x.log",
    benchmark:
        "results/data/{data}/benchmarks/join_qm7x.tsv"
    wildcard_constraints:
        data=data_of_kind("qm7x"),
    params:
        split=split_settings,
        table=table_of,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/join_qm7x.py"


rule select_published:
    input:
        structures=published_of,
        minima=minima_of,
        split=split_of,
    output:
        f"{ROOT}/testsets/{{testset}}.h5",
    log:
        f"{ROOT}/logs/select_published/{{testset}}.log",
    benchmark:
        f"{ROOT}/benchmarks/select_published/{{testset}}.tsv"
    wildcard_constraints:
        testset=testsets_of("published"),
    params:
        settings=testset_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/select_published.py"
