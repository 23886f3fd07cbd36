"""docs/examples and compose.yaml: settings and metrics that there are, and proxies that carry members."""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx2
import pytest
import trustme
from prometheus_client import ProcessCollector
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from hubchat.api.forms import BODY_BYTES
from hubchat.api.metrics import METERS
from hubchat.settings import Settings
from tests.program import Program
from tests.servers import free_port

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
WAIT_S = 30


def test_settings_in_the_examples_are_settings() -> None:
    texts = [path.read_text() for path in (ROOT / "compose.yaml", ROOT / "Dockerfile", *EXAMPLES.iterdir())]
    named = {name.removeprefix("HUBCHAT_").lower() for text in texts for name in re.findall(r"HUBCHAT_[A-Z_]+", text)}
    assert named
    assert named <= Settings.model_fields.keys()


UNIT = (EXAMPLES / "hubchat.service").read_text()
AS_SERVICE = EXAMPLES / "hubchat-as-service"


def test_a_command_beside_the_service_has_its_settings_and_its_user(tmp_path: Path) -> None:
    stub = tmp_path / "systemd-run"
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 3\n')
    stub.chmod(0o755)
    asked = ["user", "add", "ana", "--name", "Ana  Sousa"]
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run([AS_SERVICE, *asked], env={"PATH": path}, capture_output=True, text=True, check=False)
    told = done.stdout.splitlines()
    assert done.returncode == 3, "the command's own"
    program, *words = told[-1 - len(asked) :]
    assert words == asked
    assert f"ExecStart={program} serve\n" in UNIT
    properties = {line.removeprefix("--property=") for line in told if line.startswith("--property=")}
    assert {one.partition("=")[0] for one in properties} >= {"User", "StateDirectory", "Environment", "EnvironmentFile"}
    assert properties <= set(UNIT.splitlines())


def test_the_nightly_copy_has_the_settings_and_the_user_of_the_service() -> None:
    backup = (EXAMPLES / "hubchat-backup.service").read_text().splitlines()
    for name in ("User", "Environment", "EnvironmentFile", "UMask", "StateDirectoryMode"):
        (line,) = (line for line in UNIT.splitlines() if line.startswith(f"{name}="))
        assert line in backup


@pytest.mark.parametrize("verifier", [name for name in ("systemd-analyze",) if shutil.which(name)])
def test_systemd_finds_nothing_wrong_with_the_units(verifier: str, tmp_path: Path) -> None:
    program = tmp_path / "hubchat"  # it looks whether it is there
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for path in (*EXAMPLES.glob("*.service"), *EXAMPLES.glob("*.timer")):
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/hubchat/bin/hubchat", str(program)))
    units = sorted(path for path in tmp_path.iterdir() if path.suffix in (".service", ".timer"))
    assert len(units) == 3
    done = subprocess.run([verifier, "verify", *units], capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def known_metrics() -> set[str]:
    """What /metrics tells of hubchat, by the names that Prometheus has."""
    known = {f"hubchat_{meter.name}{'_total' if meter.kind == 'counter' else ''}" for meter in METERS}
    known |= {f"hubchat_search_batch_seconds_{part}" for part in HISTOGRAM}
    return known | {f"hubchat_commit_{what}_{part}" for what in ("seconds", "items") for part in HISTOGRAM}


HISTOGRAM = ("sum", "count", "bucket")


def test_what_the_dashboard_shows_is_measured() -> None:
    dashboard = json.loads((EXAMPLES / "grafana.json").read_text())
    asked = {target["expr"] for panel in dashboard["panels"] for target in panel["targets"]}
    named = {name for expression in asked for name in re.findall(r"hubchat_[a-z_]+", expression)}
    assert named <= known_metrics()
    assert {f"hubchat_{meter.name}" for meter in METERS if meter.kind == "gauge"} <= named | {"hubchat_channels"}


def test_what_alarms_look_at_is_measured() -> None:
    rules = (EXAMPLES / "alerts.yml").read_text()
    expressions = re.findall(r"^ +expr: (.+)$", rules, re.MULTILINE)
    assert len(expressions) == rules.count("- alert:") > 0
    named = {name for one in expressions for name in re.findall(r"(?:hubchat|process)_[a-z_]+", one)}
    assert {name for name in named if name.startswith("hubchat_")} <= known_metrics()
    ours = {sample.name for family in ProcessCollector(registry=None).collect() for sample in family.samples}
    assert {name for name in named if name.startswith("process_")} <= ours
    assert len(re.findall(r"severity: (?:critical|warning)", rules)) == len(expressions)
    (job,) = re.findall(r"job_name: (\w+)", (EXAMPLES / "prometheus.yml").read_text())
    assert set(re.findall(r'job="(\w+)"', rules)) == {job}


def test_every_alarm_and_every_metric_is_explained() -> None:
    told = (ROOT / "docs" / "operating.md").read_text()
    alarms = re.findall(r"- alert: (\w+)", (EXAMPLES / "alerts.yml").read_text())
    assert alarms == re.findall(r"^ *\| `(Hubchat\w+)` \|", told, re.MULTILINE)
    for name in known_metrics():
        assert f"`{re.sub('_(sum|count|bucket)$', '', name)}`" in told, name


def _health_check() -> list[str]:
    """What the image asks itself, with this Python."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    (told,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", text, re.MULTILINE)
    python, *words = json.loads(told)
    assert python == "python"
    return [sys.executable, *words]


def test_the_images_health_check_asks_the_port_that_is_served(tmp_path: Path) -> None:
    def is_well(port: int) -> bool:
        asked = subprocess.run(
            _health_check(), env={"HUBCHAT_PORT": str(port)}, capture_output=True, timeout=WAIT_S, check=False
        )
        return asked.returncode == 0

    program = Program(tmp_path / "data", {"HUBCHAT_URL": "https://hub.example.org"})
    with program.serving() as running:
        assert is_well(running.port)
        for path in (tmp_path / "data").glob("hubchat.db*"):
            path.rename(path.with_suffix(".gone"))
        assert not is_well(running.port), "a hub without its database serves nobody"
    assert not is_well(running.port)


def test_secrets_beside_compose_get_into_no_commit_and_no_image() -> None:
    for name in (".gitignore", ".dockerignore"):
        assert {".env", "*.env", "hubchat-token"} <= set((ROOT / name).read_text().splitlines())


@contextmanager
def _running(command: list[str], cwd: Path, **environment: str) -> Iterator[None]:
    with (cwd / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log, env={"HOME": str(cwd), **environment})
    try:
        yield
        assert process.poll() is None, (cwd / "proxy.log").read_text()
    finally:
        process.terminate()
        process.wait(WAIT_S)


@contextmanager
def _nginx(program: str, folder: Path, hub: int, port: int) -> Iterator[None]:
    authority = trustme.CA()
    server = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server.private_key_pem.write_to_path(folder / "hub.key")
    for part in server.cert_chain_pems:
        part.write_to_path(folder / "hub.pem", append=True)
    site = (EXAMPLES / "nginx.conf").read_text()
    for was, now in (
        ("127.0.0.1:8000", f"127.0.0.1:{hub}"),
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("hub.example.org;", "localhost;"),
        ("/etc/ssl/hub.example.org", str(folder / "hub")),
        ("/var/log/nginx/error.log", str(folder / "error.log")),
    ):
        assert was in site
        site = site.replace(was, now)
    folders = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("proxy", "client_body", "fastcgi", "uwsgi", "scgi")
    )
    whole = f"daemon off; pid {folder}/pid; error_log stderr; events {{}} http {{ {folders}\n{site} }}"
    (folder / "nginx.conf").write_text(whole)
    with _running([program, "-c", str(folder / "nginx.conf"), "-e", "stderr"], folder):
        yield


@contextmanager
def _caddy(program: str, folder: Path, hub: int, port: int) -> Iterator[None]:
    site = (EXAMPLES / "Caddyfile").read_text()
    for was, now in (
        ("\n{\n", "\n{\n\tskip_install_trust\n\tauto_https disable_redirects\n\tadmin off\n"),
        ("{$SITE} {", "{$SITE} {\n\ttls internal\n"),
    ):
        assert was in site
        site = site.replace(was, now)
    (folder / "Caddyfile").write_text(site)
    settings = {"SITE": f"https://localhost:{port}", "NODES": f"127.0.0.1:{hub}", "XDG_DATA_HOME": str(folder)}
    with _running([program, "run", "--config", "Caddyfile", "--adapter", "caddyfile"], folder, **settings):
        authority = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        _wait_for(lambda: authority.exists() and "END CERTIFICATE" in authority.read_text())
        shutil.copy(authority, folder / "ca.pem")
        yield


def _logged(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.glob("*.log"))


PROXIES: dict[str, Callable[[str, Path, int, int], AbstractContextManager[None]]] = {
    name: run for name, run in (("nginx", _nginx), ("caddy", _caddy)) if shutil.which(name)
}


@pytest.mark.parametrize("proxy", PROXIES)
def test_members_come_through_a_proxy_and_operators_pages_do_not(proxy: str, tmp_path: Path) -> None:
    port = free_port()
    url = f"https://localhost:{port}"
    program = Program(tmp_path / "data", {"HUBCHAT_URL": url, "HUBCHAT_TRUSTED_PROXIES": "127.0.0.1"})
    with program.serving() as running, PROXIES[proxy](shutil.which(proxy) or proxy, tmp_path, running.port, port):
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        with httpx2.Client(base_url=url, verify=context, trust_env=False, headers={"Origin": url}) as http:
            _wait_for(lambda: _answers(http))
            form = {"handle": "ana", "name": "Ana", "password": "seven-otters-in-the-rain", "agreed": True}
            assert http.post("/api/v1/signup", json=form).status_code == 201
            assert "__Host-hubchat" in http.cookies
            token = http.post("/api/v1/me/tokens", json={"name": "proxied"}).json()["token"]
            named = http.get("/api/v1/hub", headers={"X-Request-ID": "a-visitors-own"}).headers["x-request-id"]
            assert re.fullmatch(r"[0-9a-f]{32}|[0-9a-f-]{36}", named), "the proxy's, never a visitor's"
            for page in ("/metrics", "/readyz", "/healthz"):
                assert http.get(page).status_code == 404, page
        protocol = [Subprotocol("hubchat.v1.json")]
        headers = {"Authorization": f"Bearer {token}"}
        with connect(
            f"wss://localhost:{port}/live", ssl=context, subprotocols=protocol, additional_headers=headers, proxy=None
        ) as live:
            assert json.loads(live.recv())["welcome"]["user"]["handle"] == "ana"


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_proxy_writes_down_nobodys_requests_not_even_while_no_node_answers(proxy: str, tmp_path: Path) -> None:
    port = free_port()
    url = f"https://localhost:{port}"
    with PROXIES[proxy](shutil.which(proxy) or proxy, tmp_path, free_port(), port):
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        with httpx2.Client(base_url=url, verify=context, trust_env=False, timeout=20) as http:
            _wait_for(lambda: _status(http, "/groups/lung-cancer?page=secret") in (502, 503))
    assert "lung-cancer" not in _logged(tmp_path)
    assert "secret" not in _logged(tmp_path)


def test_both_proxies_take_as_long_a_body() -> None:
    (nginx,) = re.findall(r"client_max_body_size (\d+)m;", (EXAMPLES / "nginx.conf").read_text())
    (caddy,) = re.findall(r"max_size (\d+)MiB", (EXAMPLES / "Caddyfile").read_text())
    assert int(nginx) == int(caddy)
    assert int(nginx) << 20 >= BODY_BYTES


def _status(http: httpx2.Client, path: str) -> int:
    try:
        return http.get(path).status_code
    except httpx2.HTTPError:
        return 0


def _answers(http: httpx2.Client) -> bool:
    try:
        return http.get("/api/v1/hub").status_code == 200
    except httpx2.HTTPError:
        return False


def _wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
