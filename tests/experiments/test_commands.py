"""Every experiment's command line."""

import importlib
from pathlib import Path

import pytest

import experiments

HERE = Path(experiments.__path__[0])
COMMANDS = sorted(
    ".".join(file.relative_to(HERE.parent).with_suffix("").parts).removesuffix(".__main__")
    for file in HERE.rglob("*.py")
    if "\ndef main(" in file.read_text()
)


def run(command: str, *words: str) -> object:
    """What the command exits with."""
    package = importlib.import_module(command)
    module = importlib.import_module(f"{command}.__main__") if hasattr(package, "__path__") else package
    with pytest.raises(SystemExit) as left:
        module.main(words)
    return left.value.code


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    shown = capsys.readouterr().out
    examples = shown.partition("examples:\n")[2].splitlines()
    assert examples
    assert all(line.startswith(f"  python -m {command}") for line in examples if line)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_flag_is_one_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--no-such-flag") == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith("nas: ")
    assert complaint.count("\n") == 1
