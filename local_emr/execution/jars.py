"""Translates the jar of a step to a command: a program of the node, a script, or Java.

https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-commandrunner.html
https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-hadoop-script.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local_emr.execution.node import Node
from local_emr.execution.spark_examples import find_python_example
from local_emr.execution.spark_submit import adapt_arguments, split_options
from local_emr.execution.storage import local_path, read_uri
from local_emr.service_model import Parameters

_COMMAND_RUNNER = "command-runner.jar"
_SCRIPT_RUNNER = "script-runner.jar"
_SPARK_SUBMIT = "spark-submit"
_RUN_EXAMPLE = "run-example"


class CannotRunError(Exception):
    """The step needs something that the local node does not have."""


@dataclass(frozen=True)
class StepCommand:
    """A command, its environment, and notes for the controller's log."""

    arguments: list[str]
    environment: dict[str, str]
    notes: list[str] = field(default_factory=list)


def build_step_command(node: Node, jar_step: Parameters, folder: Path) -> StepCommand:
    """Return the command of a step. No shell is involved: arguments are passed on as they are.

    Files from elsewhere are downloaded to `folder`. Raises CannotRunError.
    """
    jar, arguments = jar_step["Jar"], jar_step.get("Args", [])
    if jar == _COMMAND_RUNNER:
        return _build_command_runner(node, arguments)
    if jar.rpartition("/")[2] == _SCRIPT_RUNNER:
        return _build_script_runner(node, arguments, folder)
    return _build_java(node, jar_step, _fetch(jar, folder))


def _build_command_runner(node: Node, asked: list[str]) -> StepCommand:
    arguments, notes = drop_ignored_arguments(asked)
    if not arguments:
        raise CannotRunError("command-runner.jar needs Args: the program and its arguments")
    name, *rest = arguments
    program = node.find_program(name)
    if program is None:
        raise CannotRunError(f"Cannot run program {name!r}: not in the node's Python environment nor in PATH")
    base = Path(program).name
    if base == _SPARK_SUBMIT:
        command = _build_spark_submit(node, program, rest)
    elif base == _RUN_EXAMPLE:
        command = _build_spark_example(node, rest)
    else:
        command = StepCommand([program, *rest], node.step_environment())
    return StepCommand(command.arguments, command.environment, [*notes, *command.notes])


def drop_ignored_arguments(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the arguments that EMR's command-runner.jar would pass on, and notes on what it drops.

    It drops empty arguments, and removes `}}` from the others:

    https://github.com/Yelp/mrjob/pull/2082
    """
    kept = [changed for argument in arguments if (changed := argument.replace("}}", ""))]
    notes = []
    if dropped := sum(not argument.replace("}}", "") for argument in arguments):
        notes.append(
            f"command-runner.jar drops empty arguments, as EMR's does: {dropped} of {len(arguments)}"
        )
    if any("}}" in argument for argument in arguments):
        notes.append("command-runner.jar removes }} from arguments, as EMR's does")
    return kept, notes


def _build_spark_submit(node: Node, program: str, arguments: list[str]) -> StepCommand:
    if missing := node.missing_pythons():
        raise CannotRunError(
            f"{', '.join(missing)}: no such program on the node. The cluster's bootstrap actions "
            "should create it: see their output"
        )
    adapted, notes = adapt_arguments(arguments, node.capabilities)
    command, environment = node.spark_submit(program, adapted)
    return StepCommand(command, environment, [*node.spark_notes(), *notes])


def _build_spark_example(node: Node, arguments: list[str]) -> StepCommand:
    """Build `run-example` from the Python example of that name: pyspark has no others."""
    options, example_and_arguments = split_options(arguments)
    name, *rest = example_and_arguments or [""]
    submit = node.find_program(_SPARK_SUBMIT)
    example = find_python_example(node.spark_home(), name)
    if submit is None or example is None:
        raise CannotRunError(
            f"run-example has no {name!r}: pyspark contains only the Python examples, not those that exist "
            "only in Java or Scala"
        )
    command = _build_spark_submit(node, submit, [*options, str(example), *rest])
    note = f"run-example {name} runs {example.name}: pyspark contains only the Python examples"
    return StepCommand(command.arguments, command.environment, [note, *command.notes])


def _build_script_runner(node: Node, arguments: list[str], folder: Path) -> StepCommand:
    if not arguments:
        raise CannotRunError("script-runner.jar needs Args: the script and its arguments")
    script = folder / "script"
    script.write_bytes(_fetch(arguments[0], folder).read_bytes())
    script.chmod(0o700)
    named = script.read_bytes()[:2] == b"#!"
    return StepCommand([*([] if named else ["bash"]), str(script), *arguments[1:]], node.step_environment())


def _build_java(node: Node, jar_step: Parameters, jar: Path) -> StepCommand:
    """Build what `hadoop jar` runs: Hadoop's RunJar, which is in pyspark's jars, calls the main class."""
    java, spark_home = node.find_java(), node.spark_home()
    if java is None or spark_home is None:
        raise CannotRunError(f"Jar is {jar_step['Jar']!r}: the node needs Java, and pyspark for its Hadoop")
    properties = [
        f"-D{item['Key']}={item.get('Value', '')}" for item in jar_step.get("Properties", []) if "Key" in item
    ]
    main_class = [jar_step["MainClass"]] if "MainClass" in jar_step else []
    command = [
        *(java, f"-Djava.io.tmpdir={node.temporary}", *properties),
        *("-cp", f"{spark_home}/jars/*", "org.apache.hadoop.util.RunJar", str(jar)),
        *(*main_class, *jar_step.get("Args", [])),
    ]
    return StepCommand(command, node.step_environment())


def _fetch(uri: str, folder: Path) -> Path:
    """Return a file on the node, or a downloaded copy."""
    if (here := local_path(uri)) is not None:
        if not here.is_file():
            raise CannotRunError(f"Failed to fetch {uri}: no such file")
        return here
    copy = folder / uri.rpartition("/")[2]
    try:
        copy.write_bytes(read_uri(uri))
    except (OSError, BotoCoreError, ClientError) as error:
        raise CannotRunError(f"Failed to fetch {uri}: {error}") from error
    return copy
