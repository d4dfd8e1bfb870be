"""The management API, served, held against its own OpenAPI document by schemathesis: `python tests/conformance/openapi.py`.

Routes that end the server, or the session that asks, are left out; `tests/server/test_openapi.py` feeds those.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from subprocess import run as execute

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.process import background, free_port, run

PASSWORD = "a password of the fuzz"
CONFIG = """version = 1
[server]
listen = "127.0.0.1:{port}"
metrics = ""
[models.m]
ratio = 1
[channels.c]
type = "openai"
base_url = "http://127.0.0.1:9"
key = "env:UPSTREAM_KEY"
models = ["m"]
"""
LEFT_OUT = r"/api/(manage/drain|config/|user/(token|self|manage|logout|login)|user/?$|user/\{)"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def main() -> int:
    """Serve a gateway, fuzz it, and return what schemathesis leaves with."""
    with tempfile.TemporaryDirectory() as place:
        directory, port = Path(place), free_port()
        url = f"http://127.0.0.1:{port}"
        (directory / "config.toml").write_text(CONFIG.format(port=port))
        env = {"NEWAPI_CONFIG": str(directory / "config.toml"), "UPSTREAM_KEY": "sk-up", "HOME": place}
        for arguments, stdin in ((("apply", "--yes"), ""), (("user", "passwd", "root", "--password-stdin"), PASSWORD)):
            done = run(*arguments, env=env, stdin=stdin)
            if done.returncode:
                sys.exit(done.stderr)
        with background("serve", port=port, env=env, log=directory / "serve.log"):
            with httpx.Client(base_url=url, trust_env=False) as http:
                http.post("/api/user/login", json={"username": "root", "password": PASSWORD}).raise_for_status()
                headers = {"New-Api-User": "1"}
                token = http.get("/api/user/token", headers=headers).json()["data"]
                document = directory / "openapi.json"
                document.write_bytes(http.get("/api/openapi.json", headers=headers).content)
            options = {
                "--url": url,
                "--checks": CHECKS,
                "--phases": "fuzzing",
                "--max-examples": "4",
                "--exclude-path-regex": LEFT_OUT,
            }
            command = [str(Path(sys.executable).with_name("schemathesis")), "run", str(document)]
            command += ["-H", f"Authorization: Bearer {token}", "-H", "New-Api-User: 1"]
            command += ["--generation-deterministic", "--no-color"]
            command += [word for option in options.items() for word in option]
            code = execute(command, check=False, cwd=directory, env={**os.environ, **env}).returncode
            if code:
                print((directory / "serve.log").read_text()[-4000:], file=sys.stderr)
            return code


if __name__ == "__main__":
    sys.exit(main())
