from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from openslot_demo.__main__ import app as demo
from openslot_server.cli import main as cli

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
LINES = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    for line in re.findall(r"^openslot (.+)$", block, re.MULTILINE)
]


@pytest.mark.parametrize("line", LINES)
def test_every_command_in_the_readme_is_one_that_there_is(line: str) -> None:
    words = shlex.split(line, comments=True)
    cli._add_server_commands()
    command = get_command(cli.app)
    while isinstance(command, TyperGroup):
        command = command.commands[words.pop(0)]
    if command.name == "demo":  # hands its words on
        command = get_command(demo)
    command.make_context("openslot", words)  # parses, runs nothing


def test_the_readme_shows_commands() -> None:
    assert len(LINES) >= 8
