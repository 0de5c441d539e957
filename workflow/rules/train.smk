# One training per named model. Checkpoints lie beside the outputs and are none, so that a rerun resumes from them.


rule train_model:
    input:
        structures=training_data,
        split=split_of,
    output:
        weights=f"{ROOT}/models/{{model}}/weights.safetensors",
        curve=f"{ROOT}/models/{{model}}/log.csv",
    log:
        f"{ROOT}/logs/train_model/{{model}}.log",
    benchmark:
        f"{ROOT}/benchmarks/train_model/{{model}}.tsv"
    wildcard_constraints:
        model=models_from("train"),
    params:
        settings=network_settings,
        dataset=dataset_of,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/train_model.py"


rule use_weights:
    output:
        weights=f"{ROOT}/models/{{model}}/weights.safetensors",
    log:
        f"{ROOT}/logs/use_weights/{{model}}.log",
    wildcard_constraints:
        model=models_from("shipped", "file"),
    params:
        source=lambda wildcards: STUDY.model(wildcards.model)["source"],
        kind=lambda wildcards: STUDY.model(wildcards.model)["kind"],
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/use_weights.py"
