# Minima, splits and test inputs. One rule makes the minima of each kind of dataset; all write the same files.


rule prepare_qm7:
    output:
        minima="results/data/{data}/minima.h5",
        split="results/data/{data}/split.json",
    log:
        "results/data/{data}/logs/prepare_qm7.log",
    wildcard_constraints:
        data=data_of_kind("qm7-pbe0"),
    params:
        split=split_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/prepare_qm7.py"


rule displace_minima:
    input:
        minima=minima_of,
        split=split_of,
    output:
        f"{ROOT}/testsets/{{testset}}.parts/{{chunk}}.h5",
    log:
        f"{ROOT}/logs/displace_minima/{{testset}}.{{chunk}}.log",
    benchmark:
        f"{ROOT}/benchmarks/displace_minima/{{testset}}.{{chunk}}.tsv"
    wildcard_constraints:
        testset=testsets_of("normal-modes"),
    params:
        settings=testset_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/displace_minima.py"


rule gather_testset:
    input:
        lambda wildcards: [
            f"{ROOT}/testsets/{wildcards.testset}.parts/{chunk}.h5" for chunk in range(testset_settings(wildcards)["chunks"])
        ],
    output:
        f"{ROOT}/testsets/{{testset}}.h5",
    log:
        f"{ROOT}/logs/gather_testset/{{testset}}.log",
    wildcard_constraints:
        testset=testsets_of("normal-modes"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/gather_testset.py"


rule diffuse_minima:
    input:
        minima=minima_of,
        split=split_of,
    output:
        f"{ROOT}/testsets/{{testset}}.h5",
    log:
        f"{ROOT}/logs/diffuse_minima/{{testset}}.log",
    benchmark:
        f"{ROOT}/benchmarks/diffuse_minima/{{testset}}.tsv"
    wildcard_constraints:
        testset=testsets_of("diffused"),
    params:
        settings=testset_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/diffuse_minima.py"
