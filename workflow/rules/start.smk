# What is checked before any setting is read: the profile, the configuration's form, and what earlier runs left behind.
import sys
from pathlib import Path

from snakemake.cli import get_argument_parser
from snakemake.exceptions import WorkflowError

from zfnet.core import workflow_presence as presence
from zfnet.core.errors import ZfnetError
from zfnet.core.suggest import did_you_mean
from zfnet.core.yaml_file import read_yaml

REPOSITORY = Path(workflow.basedir)
# The working folder's configuration, or the one beside the Snakefile: `snakemake -s /repo/Snakefile` works from anywhere.
CONFIG = next((path for path in ("config.yaml", str(REPOSITORY / "config.yaml")) if Path(path).exists()), "config.yaml")


def sentence_or(value):
    """Call `value`; report a mistake of the user as one message without a traceback."""
    try:
        return value()
    except ZfnetError as error:
        raise WorkflowError(str(error)) from None
    except OSError as error:
        if error.filename is None:
            raise
        raise WorkflowError(f"{error.filename}: {error.strerror}; mend this and run the same command again.") from None


def check_profile(argv=sys.argv):
    """Stop at a --workflow-profile that does not exist; Snakemake would ignore it and run locally."""
    words = [word for argument in argv for word in argument.split("=", 1)]
    folders = (Path(), Path("profiles"), REPOSITORY / "profiles")
    for flag, value in zip(words, words[1:]):
        if flag == "--workflow-profile" and value != "none" and not any((at / value).exists() for at in folders):
            known = sorted(path.name for path in (REPOSITORY / "profiles").iterdir())
            raise WorkflowError(
                f"--workflow-profile {value}: no such profile{did_you_mean(Path(value).name, known)} "
                f"Write `--workflow-profile NAME`, with one of {', '.join(known)} as its name, or an absolute path."
            )


def check_targets(argv=sys.argv):
    """Stop at a target that is no rule and cannot be a file, and name the rule that was probably meant."""
    if Path(argv[0]).name not in ("snakemake", "__main__.py") or not workflow.is_main_process:
        return  # called through Snakemake's Python interface, or a job
    known = [rule.name for rule in workflow.rules]
    for target in get_argument_parser().parse_known_args(argv[1:])[0].targets or ():
        if Path(target).stem == target and target not in known:
            raise WorkflowError(
                f"{target}: there is no such target{did_you_mean(target, known)} "
                "Targets are table1 … table7, figure2 … figure9, tables, figures, claims, report, or files to make."
            )


def other_runs():
    """Return the other snakemakes that run in this folder, after clearing away what killed ones left."""
    presence.pass_on_as_parent(in_cluster_job=not workflow.is_main_process)
    if not workflow.is_main_process:
        return []
    return sentence_or(lambda: presence.enter(Path.cwd(), lambda text: print(text, file=sys.stderr, flush=True)))


check_profile()
for path in [CONFIG, *workflow.overwrite_configfiles]:
    sentence_or(lambda: read_yaml(Path(path)) if Path(path).suffix != ".json" and Path(path).exists() else None)
OTHER_RUNS = other_runs()
