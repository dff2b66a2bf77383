"""A carillond process of a test's own, on a folder and port of its own."""

import atexit
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

BINARIES = pathlib.Path(os.environ.get("CARILLON_BINARIES", "build/dev"))
SOURCE = pathlib.Path(__file__).resolve().parents[4]
START_SECONDS = 60

# Local credentials go where the clients of this process, and those it starts, look for them, and where nobody else's are.
_credentials = tempfile.mkdtemp(prefix="carillon-python-run-")
atexit.register(shutil.rmtree, _credentials)
os.environ["XDG_RUNTIME_DIR"] = os.environ["XDG_CONFIG_HOME"] = _credentials
os.environ.pop("CARILLON_CREDENTIAL", None)


class Daemon:
    """`folder` holds its data, its log and its port; close() kills it if it runs and removes them."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="carillon-python-"))
        self.process = None
        self.port = 0

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def credential(self):
        """The path of its local credential, for who reaches it by another address."""
        return os.path.join(_credentials, "carillon", str(self.port))

    @property
    def log(self):
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def start(self, *flags):
        """Start it, on the port it had before if it had one, and wait until it serves."""
        port_file = self.folder / "port"
        port_file.unlink(missing_ok=True)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [BINARIES / "bin/carillond", "--data", self.folder / "data", "--listen", self.address,
                 "--port-file", port_file, *flags], stderr=log)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if port_file.exists() and port_file.read_text().strip():
                self.port = int(port_file.read_text())
                return self
            if self.process.poll() is not None:
                raise RuntimeError(f"carillond ended: {self.log}")
            time.sleep(0.002)
        raise RuntimeError(f"carillond does not serve: {self.log}")

    def kill(self, number=signal.SIGKILL):
        """Send it a signal and wait for its end."""
        self.process.send_signal(number)
        code = self.process.wait()
        self.process = None
        return code

    def run(self, *arguments, code=0):
        """Run `carillon ARGUMENTS` against it. Returns its output; raises when the exit code is another."""
        done = subprocess.run([BINARIES / "bin/carillon", *arguments], capture_output=True, text=True, cwd=SOURCE,
                              env={**os.environ, "CARILLON_CONNECT": self.address}, check=False)
        if done.returncode != code:
            raise AssertionError(f"carillon {arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def import_samples(self):
        self.run("import", "samples")
        self.run("import", "--students", "samples/students")

    def close(self):
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder)
