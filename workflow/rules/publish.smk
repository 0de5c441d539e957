# The study's results as one Markdown page with its pictures; `make publish CONFIG=config/small.yaml` puts it into docs.


localrules:
    results_page,


rule results_page:
    input:
        unpack(published_results),
        comparison=f"{STUDY.table('comparison')}.csv",
        remarks=remarks_on_results,
    output:
        f"{ROOT}/page/results.md",
    log:
        f"{ROOT}/logs/results_page.log",
    params:
        study=STUDY.name,
        note=STUDY.settings.note,
        commands=commands_of_study,
        captions=captions_of_figures,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/results_page.py"
