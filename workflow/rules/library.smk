# Libraries of yours: counted, relaxed in chunks that resume, gathered into one SDF, one table and one page.


localrules:
    count_library,


rule count_library:
    input:
        library_file,
    output:
        f"{ROOT}/libraries/{{library}}/count.json",
    log:
        f"{ROOT}/libraries/{{library}}/logs/count_library.log",
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/count_library.py"


rule relax_library:
    input:
        library=library_file,
        counted=f"{ROOT}/libraries/{{library}}/count.json",
    output:
        molecules=f"{ROOT}/libraries/{{library}}/chunks/{{chunk}}.sdf.gz",
        table=f"{ROOT}/libraries/{{library}}/chunks/{{chunk}}.csv",
    log:
        f"{ROOT}/libraries/{{library}}/logs/relax_library/{{chunk}}.log",
    benchmark:
        f"{ROOT}/libraries/{{library}}/benchmarks/relax_library/{{chunk}}.tsv"
    params:
        settings=library_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/relax_library.py"


rule gather_library:
    input:
        library=library_file,
        molecules=library_chunks("sdf.gz"),
        tables=library_chunks("csv"),
    output:
        molecules=f"{ROOT}/libraries/{{library}}/relaxed.sdf.gz",
        table=f"{ROOT}/libraries/{{library}}/verdicts.csv",
        summary=f"{ROOT}/libraries/{{library}}/summary.json",
        page=f"{ROOT}/libraries/{{library}}/report.html",
    log:
        f"{ROOT}/libraries/{{library}}/logs/gather_library.log",
    params:
        settings=library_settings,
    conda:
        "../../envs/morered.yaml"
    script:
        "../scripts/gather_library.py"
