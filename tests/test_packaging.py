"""From the tree to an installation: source distribution, wheel, a new environment, a server."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

import minikv

ROOT = Path(__file__).parent.parent
OUTSIDE = {
    name: value for name, value in os.environ.items() if name != "PYTHONPATH"
}  # else the tree is found
pytestmark = [pytest.mark.packaging, pytest.mark.timeout(600)]


def run(*words, **options):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, env=OUTSIDE, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "setup.py", "-q", "sdist", "--dist-dir", folder, cwd=ROOT)
    [file] = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "-w", folder, sdist)
    [file] = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin/pip", "install", "-q", "--no-index", "--disable-pip-version-check", wheel)
    return folder


def engine_files(names):
    return {Path(name).name for name in names if "minikv_core/" in name}


def test_sdist_holds_the_sources(sdist):
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    sources = {p.name for p in (ROOT / "ext/minikv_core").iterdir() if p.suffix in (".pyx", ".pxd", ".pyi")}
    assert sources <= engine_files(names)
    assert not [name for name in names if name.endswith((".c", ".so"))]
    for name in ("pyproject.toml", "setup.py", "LICENSE", "README.md", "minikv/commands/config.py"):
        assert f"minikv-{minikv.__version__}/{name}" in names


def test_wheel_holds_what_runs(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    files = engine_files(names)
    for source in (ROOT / "ext/minikv_core").glob("*.pyx"):
        assert [name for name in files if name.startswith(f"{source.stem}.") and name.endswith(".so")]
    assert not [name for name in names if name.endswith(".c")]
    assert {"minikv/py.typed", "minikv_core/py.typed", "minikv_core/handle.pyi"} <= set(names)


def test_installation(environment, tmp_path):
    command = environment / "bin/minikv"
    assert re.match(
        rf"minikv server v={re.escape(minikv.__version__)} ", run(command, "--version", cwd=tmp_path)
    )
    path = tmp_path / "minikv.sock"
    with subprocess.Popen(
        [command, "--port", "0", "--unixsocket", path], cwd=tmp_path, env=OUTSIDE
    ) as process:
        deadline = time.monotonic() + 60
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
            while client.connect_ex(str(path)):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)
            client.settimeout(60)
            client.sendall(b"PING\r\n")
            assert client.recv(100) == b"+PONG\r\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_in_process(environment, tmp_path):
    program = "import minikv\nwith minikv.Store() as s: print(s.execute('SET', 'k', 'v'), minikv.__file__)"
    out = run(environment / "bin/python", "-c", program, cwd=tmp_path)
    assert out.startswith("b'OK' ") and str(environment) in out
