"""The entry point: help, errors, exit codes, and how fast it answers."""

import subprocess
import sys

import click
import pytest

from noisylabels.catalogue import MODES
from noisylabels.errors import FetchByHand, InvalidData, Mismatch, NoisyLabelsError, UsageError
from noisylabels.params import parameters
from noisylabels_cli import corrupt, main, say


@pytest.fixture
def failing(monkeypatch):
    """A command ``fail`` that raises what the test wants."""
    raised = []

    @click.command()
    def fail():
        raise raised[0]

    get = main.Commands.get_command
    monkeypatch.setattr(main, "_modules", lambda: {"fail": None})
    monkeypatch.setattr(main, "import_module", lambda name: type("Module", (), {"command": fail}))
    assert get is main.Commands.get_command
    return raised


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoisyLabelsError("One sentence."), 1),
        (UsageError("One sentence."), 2),
        (InvalidData("One sentence."), 3),
        (Mismatch("One sentence."), 4),
        (FetchByHand("One sentence."), 5),
        (click.UsageError("One sentence."), 2),
    ],
)
def test_every_kind_of_error_has_its_exit_code(failing, capsys, error, code):
    failing.append(error)
    assert main.run(["fail"]) == code
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "noisylabels: One sentence.\n")


def test_several_lines_become_one(failing, capsys):
    failing.append(InvalidData("First line,\n   second line."))
    assert main.run(["fail"]) == 3
    assert capsys.readouterr().err == "noisylabels: First line, second line.\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_interrupted(failing, capsys, error):
    failing.append(error)
    assert main.run(["fail"]) == 130
    assert capsys.readouterr().err.strip() == "noisylabels: Interrupted."


def test_a_bug_is_called_a_bug_and_debug_shows_where(failing, capsys):
    failing.append(ZeroDivisionError("division by zero"))
    assert main.run(["fail"]) == 1
    assert capsys.readouterr().err == (
        "noisylabels: A bug in noisylabels (ZeroDivisionError: division by zero); "
        "run again with --debug to see where.\n"
    )
    assert main.run(["fail", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_help_lists_every_command_with_one_line(capsys):
    assert main.run(["--help"]) == 0
    out = capsys.readouterr().out
    for command in (
        "corrupt",
        "inspect",
        "datalist",
        "datasets",
        "modes",
        "phantom",
        "prepare",
        "presets",
        "profile",
    ):
        assert f"\n  {command} " in out
    assert main.run([]) == 0
    assert capsys.readouterr().out == out


def test_every_command_has_a_summary_and_help(capsys):
    for name, path in main._modules().items():
        assert main.first_line(path), f"{name} has no docstring"
        assert main.run([name, "--help"]) == 0
        text = capsys.readouterr().out
        assert "--quiet" in text
        assert "--debug" in text


def test_help_of_corrupt_is_grouped_with_the_flags_of_the_mode_first(capsys):
    assert main.run(["corrupt", "--mode", "boundary", "--help"]) == 0
    text = capsys.readouterr().out
    headings = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        "Flags of the mode boundary:",
        "What to do: one of three, and the seed:",
        "Which cases and objects:",
        "A measured strength:",
        "Several label maps, shared draws:",
        "Where, and by whom:",
        "A look before:",
        "Options:",
    ]
    for flag in (
        "--radius-px",
        "--preset",
        "--per-class",
        "--target",
        "--annotators",
        "--scheduler",
        "--dry-run",
    ):
        assert text.count(f"\n  {flag} ") == 1, flag


@pytest.mark.parametrize("mode", MODES.names())
def test_no_flag_of_a_mode_hides_one_of_corrupt(mode):
    """One word, one meaning: click would give the value to both."""
    own = {option for parameter in corrupt.command.params for option in parameter.opts} | {
        "--quiet",
        "--debug",
    }
    assert not own & {parameter.flag for parameter in parameters(MODES.load(mode).Params)}


def test_version(capsys):
    assert main.run(["--version"]) == 0
    assert "noisylabels" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--help"], ["modes"], ["presets"], ["corrupt", "--help"]])
def test_heavy_libraries_stay_out(words):
    """What makes an answer slow is imports; none of these may be among them."""
    script = (
        "import sys; from noisylabels_cli.main import run; code = run(sys.argv[1:]);"
        "heavy = {'torch', 'scipy', 'skimage', 'matplotlib', 'numba', 'nibabel', 'PIL', 'rich', 'SimpleITK'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert any(word in done.stdout for word in ("corrupt", "asymmetric", "jcas-ellipse"))


def test_a_reader_that_leaves_early_is_no_error():
    """As in ``noisylabels modes | head -1``: here nobody reads at all."""
    script = "from noisylabels_cli.main import main; main(['modes', 'ellipse'])"
    done = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    done.stdout.close()
    assert done.stderr.read() == b""
    done.stderr.close()
    assert done.wait() in (0, 1)


def test_columns_line_up():
    text = say.columns([("a", "1.5", "x"), ("long", "10", "y")], ("name", "n", "what"))
    assert text == "name    n  what\na     1.5  x\nlong   10  y"
    assert say.columns([]) == ""
