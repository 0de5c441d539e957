# One training per named model. Checkpoints lie beside the outputs and are none, so that a rerun resumes from them.


rule augment_minima:
    input:
        unpack(augmentation_files),
    output:
        "results/data/{data}/{augmentation}.h5",
    log:
        "results/data/{data}/logs/{augmentation}.log",
    wildcard_constraints:
        augmentation=one_of(Path(path).stem for path in AUGMENTATIONS),
    params:
        settings=augmentation_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/augment_minima.py"


rule train_model:
    input:
        unpack(further_of_training),
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
    input:
        given_weights,
    output:
        weights=f"{ROOT}/models/{{model}}/weights.safetensors",
    log:
        f"{ROOT}/logs/use_weights/{{model}}.log",
    wildcard_constraints:
        model=models_from("shipped", "file"),
    params:
        source=lambda wildcards: STUDY.settings.models[wildcards.model].source,
        kind=lambda wildcards: STUDY.settings.models[wildcards.model].kind,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/use_weights.py"


rule predict_image_times:
    input:
        unpack(images_shown),
    output:
        f"{ROOT}/models/image_times/predictions.csv",
    log:
        f"{ROOT}/logs/predict_image_times.log",
    benchmark:
        f"{ROOT}/benchmarks/predict_image_times.tsv"
    params:
        training_steps=STUDY.settings.images.training_steps,
        features=STUDY.settings.images.features,
        seed=STUDY.settings.seed,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/predict_image_times.py"


rule predict_molecule_times:
    input:
        weights=f"{ROOT}/models/{{model}}/weights.safetensors",
        minima=minima_of,
        split=split_of,
    output:
        f"{ROOT}/models/{{model}}/molecule_times.csv",
    log:
        f"{ROOT}/logs/predict_molecule_times/{{model}}.log",
    params:
        seed=STUDY.settings.seed,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/predict_molecule_times.py"
