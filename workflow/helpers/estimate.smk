# A dry run ends with an estimate of the hours that the jobs it lists would take.
import atexit

from morered.study import estimate


@atexit.register
def print_estimate():
    """Print it where jobs were planned and not hushed."""
    hushed = {str(kind) for kind in workflow.output_settings.quiet or ()} & {"all", "progress"}
    if workflow.dryrun and workflow.dag is not None and not hushed:
        jobs = [
            estimate.Job(job.rule.name, dict(job.wildcards.items()), int(job.resources.get("gpu") or 0))
            for job in workflow.dag.needrun_jobs(exclude_finished=False)
        ]
        print(estimate.table(STUDY, jobs), file=sys.stderr)
