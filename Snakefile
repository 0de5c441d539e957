# The pipeline, from data to figures. config/README.md explains the config, docs/ the rest.
#
#   snakemake --cores all                                    the demo: config/config.yaml
#   snakemake --cores all fig4                               what figure 4 needs, nothing else
#   snakemake --cores all --configfile config/small.yaml     another study
#   snakemake --profile slurm                                the whole paper on a cluster
import time

from snakemake.utils import min_version

from morered.study import times

min_version("9.27")

# A config file is a whole study: the demo's is not merged under one that is named.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


# What rules have in common, and the rules.
include: "workflow/helpers/common.smk"
include: "workflow/helpers/datasets.smk"
include: "workflow/helpers/figures.smk"
include: "workflow/helpers/samplers.smk"
include: "workflow/helpers/samples.smk"
include: "workflow/helpers/publish.smk"
include: "workflow/helpers/estimate.smk"
include: "workflow/rules/download.smk"
include: "workflow/rules/qm7x.smk"
include: "workflow/rules/qm9.smk"
include: "workflow/rules/custom.smk"
include: "workflow/rules/organic.smk"
include: "workflow/rules/library.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/displaced.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/relax.smk"
include: "workflow/rules/generate.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/energy.smk"
include: "workflow/rules/cards.smk"
include: "workflow/rules/publish.smk"


report: opening_of_report()


STARTED = time.time()


onsuccess:
    print(times.table(times.by_rule(Path("results"), STARTED), time.time() - STARTED), file=sys.stderr)


localrules:
    all,
    figures,
    tables,
    minima,
    models,
    sweeps,


rule all:
    default_target: True
    input:
        figures_of_study(),
        data_cards_of_study(),
        tables_of_study(),
        libraries_of_study(),


rule figures:
    input:
        figures_of_study(),


rule tables:
    input:
        tables_of_study(),


rule minima:
    input:
        minima_of_study(),


rule models:
    input:
        weights_of_study(),


rule sweeps:
    input:
        sweeps_of_study(),
