# What a study generates: helpers of the rules that make it and show it.
from morered.study import generation

GENERATION = generation.folder(STUDY)
SAMPLERS = generation.samplers(STUDY)


def drawn_from(wildcards):
    """Minima and split of the dataset whose compositions are drawn, and the minima that the models learned from."""
    folder, learned = STUDY.data_dir(generation.dataset(STUDY)), STUDY.data_dir(generation.learned(STUDY))
    return {"minima": f"{folder}/minima.h5", "split": f"{folder}/split.json", "learned": f"{learned}/minima.h5"}


def weights_of_sampler(wildcards):
    """Role -> weights file of each model that a sampler uses."""
    return {role: STUDY.weights(model) for role, model in generation.models_of(STUDY, wildcards.sampler).items()}


def split_of_samplers(wildcards):
    return drawn_from(wildcards)["split"]


def cap_of_sampler(wildcards):
    return SAMPLERS[wildcards.sampler].steps


def chunks_of_sampler(wildcards):
    return SAMPLERS[wildcards.sampler].chunks


def samples_in_parts(wildcards):
    return [f"{GENERATION}/{wildcards.sampler}/samples.parts/{chunk}.h5" for chunk in range(chunks_of_sampler(wildcards))]


def capped_in_parts(wildcards):
    chunks = STUDY.settings.generation.caps.chunks
    return [f"{GENERATION}/{wildcards.sampler}/caps.parts/{chunk}.h5" for chunk in range(chunks)]


def generation_in_comparison(wildcards):
    """Tables of generated molecules, where the study makes them: their numbers stand beside the paper's too."""
    files = {"tableB1": ("generation", f"{STUDY.table('tableB1')}.csv"), "figB4": ("caps", f"{STUDY.figure('figB4')}.csv")}
    return dict(files[name] for name in files if name in STUDY.settings.figures)
