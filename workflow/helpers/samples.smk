# What energies and optimisations of a sample need of the study: files, jobs, and what they cost.
from morered.energies import cost
from morered.study import estimate


def methods_sampled(figure):
    """Test set -> methods whose results are sampled for a figure."""
    plan = STUDY.plan(figure)
    return plan["methods_of"] if "methods_of" in plan else {plan["testset"]: plan["methods"]}


def sampled(figure):
    """Input of a rule: a figure's test sets, their minima, and the relaxed structures of the methods on each, in this order."""

    def files(wildcards):
        methods = methods_sampled(figure)
        return {
            "inputs": [STUDY.inputs(testset) for testset in methods],
            "minima": [STUDY.minima(testset) for testset in methods],
            "relaxed": [STUDY.relaxed(testset, method) for testset in methods for method in methods[testset]],
        }

    return files


def cost_of_energies():
    """What the single points cost, for the dry run."""
    settings = STUDY.settings.energies
    atoms = estimate.typical_atoms(STUDY, "energies")
    return cost.of_points(STUDY.sources_at_most("energies"), settings.chunks, STUDY.level("energies"), atoms)


def cost_of_savings():
    """What the optimisations with PBE0 cost."""
    settings = STUDY.settings.savings
    count = STUDY.sources_at_most("savings") if "pbe0" in settings.calculators else 0
    evaluations = min(20, settings.steps + 1)
    atoms = estimate.typical_atoms(STUDY, "savings")
    return cost.of_optimisations(count, settings.chunks, STUDY.level("savings"), evaluations, atoms)


def level_of_savings(wildcards):
    return STUDY.level("savings") if wildcards.calculator == "pbe0" else {}
