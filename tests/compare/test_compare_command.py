"""minikv/compare/command.py: what the command line takes, lists and refuses."""

import subprocess
import sys
from pathlib import Path

import pytest

from minikv import cli
from minikv.compare import command, targets
from minikv.compare.scenarios import QUICK, SCENARIOS, Scale


def test_list_explains_every_model_and_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "--list"]) == 0
    listed = capsys.readouterr().out
    for name in targets.NAMES:
        assert f"  {name} " in listed
        assert targets.SUMMARIES[name] in listed
    for name, scenario in SCENARIOS.items():
        assert f"  {name} " in listed
        assert scenario.title in listed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--models", "epoll,nosuch"], "'nosuch' is none of epoll"),
        (["--scenarios", "fast"], "'fast' is none of conns-1"),
        (["--models", ""], "'' is none of"),
        (["--rounds", "0"], "at least 1"),
        (["--rounds", "many"], "invalid int"),
        (["--seconds", "0"], "above 0"),
        (["--seconds", "nan"], "above 0"),
        (["--fast"], "unrecognized"),
        (["epoll"], "unrecognized"),
    ],
)
def test_what_is_refused(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_quick_run_leaves_scenarios_out_unless_they_are_named() -> None:
    assert "paced" not in command.parse_arguments(["--quick"]).scenarios
    assert command.parse_arguments(["--quick", "--scenarios", "paced, conns-1"]).scenarios == [
        "paced",
        "conns-1",
    ]
    assert command.parse_arguments([]).scenarios == list(SCENARIOS)


def test_scales() -> None:
    assert command.choose_scale(command.parse_arguments([])) == Scale()
    assert command.choose_scale(command.parse_arguments(["--quick"])) == QUICK
    scale = command.choose_scale(command.parse_arguments(["--rounds", "5", "--seconds", "60"]))
    assert (scale.rounds, scale.window, scale.paced) == (5, 60, 60)


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    for name in ("rich", "jinja2", "vl_convert"):
        tmp_path.joinpath(f"{name}.py").write_text(f"raise ModuleNotFoundError(name={name!r})")
    code = "import sys; from minikv.cli import main; sys.exit(main(['compare', '--models', 'epoll']))"
    path = [str(tmp_path), *filter(None, sys.path)]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}; {code}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "pip install 'minikv[compare]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_folder_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("vl_convert", reason="the extra 'compare' is not installed")
    (tmp_path / "file").touch()
    assert command.main(["--models", "epoll", "--output", str(tmp_path / "file" / "folder")]) == 1
    assert "Not a directory" in capsys.readouterr().err
