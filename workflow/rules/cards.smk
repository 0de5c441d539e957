# What is in each dataset: numbers, and one figure that stands in the report.


localrules:
    data_cards,


rule describe_dataset:
    input:
        unpack(card_files),
    output:
        json=f"{ROOT}/data_cards/{{dataset}}.json",
        csv=f"{ROOT}/data_cards/{{dataset}}.csv",
        pdf=f"{ROOT}/data_cards/{{dataset}}.pdf",
        png=report(
            f"{ROOT}/data_cards/{{dataset}}.png",
            caption="../report/data_card.rst",
            category="Data",
            labels={"dataset": "{dataset}", "study": STUDY.name},
        ),
    log:
        f"{ROOT}/logs/describe_dataset/{{dataset}}.log",
    benchmark:
        f"{ROOT}/benchmarks/describe_dataset/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(STUDY.settings.datasets),
    params:
        settings=card_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/describe_dataset.py"


rule data_cards:
    input:
        data_cards_of_study(),
