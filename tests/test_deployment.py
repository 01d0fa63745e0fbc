"""The files for deployment name options, variables, paths and users that exist."""

import re

import pytest
import yaml
from typer.testing import CliRunner

from crossfade.cli import app
from tests.project import ROOT

DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
DEPLOYMENT, SERVICE = yaml.safe_load_all((ROOT / "deploy/kubernetes.yaml").read_text())
(CONTAINER,) = DEPLOYMENT["spec"]["template"]["spec"]["containers"]


@pytest.fixture(scope="module")
def options() -> set[str]:
    told = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, ["serve", "--help"])
    return set(re.findall(r"--[a-z][a-z-]+", told.output))


def test_the_options_are_those_of_the_command(options: set[str]) -> None:
    entry = re.search(r"^ENTRYPOINT \[(.*)\]$", DOCKERFILE, re.M)
    assert entry is not None
    given = re.findall(r'"([^"]+)"', entry.group(1)) + CONTAINER["args"]
    assert given[:2] == ["crossfade", "serve"]
    assert {each for each in given if each.startswith("--")} <= options


def test_the_pod_is_drained_and_asked_as_the_server_answers() -> None:
    args = CONTAINER["args"]
    drain_s = float(args[args.index("--drain-s") + 1])
    pause_s = float(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])
    assert (
        DEPLOYMENT["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > drain_s + pause_s
    )
    port = CONTAINER["ports"][0]["containerPort"]
    assert f"EXPOSE {port}" in DOCKERFILE
    for probe, path in (("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")):
        assert CONTAINER[probe]["httpGet"] == {"path": path, "port": port}
    assert SERVICE["spec"]["ports"][0]["targetPort"] == port


def test_nothing_runs_as_root_or_writes_beside_its_volume() -> None:
    user = DEPLOYMENT["spec"]["template"]["spec"]["securityContext"]
    assert user["runAsNonRoot"] is True
    assert user["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"USER {user['runAsUser']}" in DOCKERFILE
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"] is True
    (mount,) = CONTAINER["volumeMounts"]
    assert f"VOLUME {mount['mountPath']}" in DOCKERFILE
    written = re.findall(r"(?:CACHE|TMPDIR|RUNS|--runs\",) ?=?\"?(/\S+?)[\"\s]", DOCKERFILE)
    assert all(path.startswith(mount["mountPath"]) for path in written)


def test_every_secret_is_taken_from_the_cluster() -> None:
    secrets = {each["name"] for each in CONTAINER["env"]}
    assert secrets >= {"CROSSFADE_TOKEN", "CROSSFADE_SECRET", "CROSSFADE_STORE", "OPENAI_API_KEY"}
    assert all("secretKeyRef" in each["valueFrom"] for each in CONTAINER["env"])
    # What a process is started with is read by everybody on its machine.
    assert not [each for each in CONTAINER["args"] if "$(" in each or "://" in each]
    assert DEPLOYMENT["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_nothing_secret_or_private_comes_into_the_build() -> None:
    """The build copies all the rest of the folder."""
    assert "COPY . ." in DOCKERFILE

    def named(path: str) -> set[str]:
        lines = (ROOT / path).read_text().splitlines()
        return {
            line.strip("/").removeprefix("**/") for line in lines if line and line[0] not in "#!"
        }

    left_out = named(".dockerignore")
    assert left_out >= {".git", ".env", "runs", ".venv"} | named(".gitignore")
    # A store with its secret, and keys, as the guide names them.
    assert left_out >= {"*.db", "*.secret", "*.pem"}


def test_what_was_not_run_says_so() -> None:
    text = (ROOT / "docs/deployment.md").read_text()
    assert re.findall(r"deploy/([\w.]+)\]\([^|]*\|[^|]*Written, not run\.", text) == [
        "kubernetes.yaml"
    ]
