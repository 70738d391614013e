import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikv import conf
from minikv.errors import StartError


@pytest.mark.parametrize(
    "text, words",
    [
        ("port 1", ["port", "1"]),
        ("  bind\t127.0.0.1   ::1 ", ["bind", "127.0.0.1", "::1"]),
        ('requirepass ""', ["requirepass", ""]),
        (r'a "x \n\r\t\b\a \x41\x0a \" \\ \q"', ["a", 'x \n\r\t\b\a A\n " \\ q']),
        (r"a 'x \n \' y'", ["a", r"x \n ' y"]),
        (r'a "\xff"', ["a", "\udcff"]),
        ('a b"c d"', ["a", "bc d"]),
        ("a ü", ["a", "ü"]),
        ("a #b", ["a", "#b"]),
        ("", []),
    ],
)
def test_split_words(text, words):
    assert conf.split_words(text) == words


@pytest.mark.parametrize("text", ['a "b', "a 'b", 'a "b"c', "a 'b'c", r'a "b\"', r"a 'b\'"])
def test_split_words_refuses_unbalanced_quotes(text):
    with pytest.raises(ValueError, match="Unbalanced quotes"):
        conf.split_words(text)


@given(st.lists(st.binary(min_size=0, max_size=12).map(lambda data: data.decode("utf-8", "surrogateescape"))))
def test_quoted_words_read_back(words):
    assert conf.split_words(" ".join(map(conf.quote_word, words))) == words


def test_quote_word_quotes_only_what_needs_it():
    assert conf.quote_word("/a/b-c.conf") == "/a/b-c.conf"
    assert conf.quote_word("") == '""'
    assert conf.quote_word("a b\n\0") == r'"a b\n\x00"'
    assert conf.quote_word("#a") == '"#a"'


def words_of(lines):
    return [line.words for line in lines]


def test_read_file_passes_over_comments_and_keeps_line_numbers(tmp_path):
    path = tmp_path / "a.conf"
    path.write_text("# comment\n\nport 1\r\n   # another\nhz 2")
    assert [(line.number, line.words) for line in conf.read_file(str(path))] == [
        (3, ("port", "1")),
        (5, ("hz", "2")),
    ]


def test_include_reads_files_in_place(tmp_path):
    (tmp_path / "b1.conf").write_text("hz 1\n")
    (tmp_path / "b2.conf").write_text("hz 2\n")
    (tmp_path / "a.conf").write_text(
        f'port 1\nINCLUDE "{tmp_path}/b*.conf"\nport 2\ninclude {tmp_path}/b1.conf\n'
    )
    lines = list(conf.read_file(str(tmp_path / "a.conf")))
    assert words_of(lines) == [("port", "1"), ("hz", "1"), ("hz", "2"), ("port", "2"), ("hz", "1")]
    assert lines[1].source == str(tmp_path / "b1.conf")


@pytest.mark.parametrize(
    "text, message",
    [
        ("include {dir}/none.conf", "Can't open the configuration file '{dir}/none.conf': No such file"),
        ("include {dir}/a.conf", "includes itself"),
        ("include a b", "at line 1\n>>> 'include a b'\ninclude: wrong number of arguments"),
        ('\nhz "1', "at line 2\n>>> 'hz \"1'\nUnbalanced quotes"),
    ],
)
def test_read_file_errors(tmp_path, text, message):
    path = tmp_path / "a.conf"
    path.write_text(text.format(dir=tmp_path))
    with pytest.raises(StartError) as caught:
        list(conf.read_file(str(path)))
    assert message.format(dir=tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "argv, words",
    [
        ([], []),
        (["--port", "1"], [("port", "1")]),
        (["--bind", "127.0.0.1", "::1", "--hz", "1"], [("bind", "127.0.0.1", "::1"), ("hz", "1")]),
        (["--save 900 1", "--hz", "1"], [("save", "900", "1"), ("hz", "1")]),
        (["--save", "900 1"], [("save", "900 1")]),
        (["--save", "--hz", "1"], [("save", ""), ("hz", "1")]),
        (["--save"], [("save", "")]),
        (["--logfile", ""], [("logfile", "")]),
        (["--requirepass", "--x", "--hz", "1"], [("requirepass", "--x"), ("hz", "1")]),
        (["--slowlog-log-slower-than", "-1"], [("slowlog-log-slower-than", "-1")]),
        (["--requirepass", "a b"], [("requirepass", "a b")]),
        (["--hz"], [("hz",)]),
    ],
)
def test_parse_arguments(argv, words):
    arguments = conf.parse_arguments(argv)
    assert words_of(arguments.lines) == words
    assert (arguments.file, arguments.standard_input) == (None, False)
    with_file = conf.parse_arguments(["x.conf", *argv])
    assert (with_file.file, words_of(with_file.lines)) == ("x.conf", words)


@pytest.mark.parametrize("argv", [["-"], ["-", "--hz", "1"], ["--hz", "1", "-"], ["x.conf", "-"]])
def test_dash_is_standard_input(argv):
    assert conf.parse_arguments(argv).standard_input


def test_an_argument_with_unbalanced_quotes_is_refused():
    with pytest.raises(StartError, match="Unbalanced quotes"):
        conf.parse_arguments(['--requirepass "a b'])


def test_a_value_before_any_option_is_refused():
    with pytest.raises(StartError, match="starts with '--', this does not: 'hz'"):
        conf.parse_arguments(["x.conf", "hz", "1"])
