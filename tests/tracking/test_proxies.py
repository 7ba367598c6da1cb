import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from backbones.proxies import proxy_of
from harness.cli import main
from harness.utils.process_environment import prepare_process
from tests.helpers.mlflow_server import free_port


class Answers(BaseHTTPRequestHandler):
    """A tracking server with one experiment."""

    def do_POST(self):
        body = json.dumps({"experiments": [{"experiment_id": "7", "name": "here"}]}).encode()
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture
def proxy(monkeypatch):
    """Address of a proxy that does not answer, set with a password as companies do."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        for form in (name, name.lower()):
            monkeypatch.setenv(form, "")
            monkeypatch.delenv(form)
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("http_proxy", address.replace("//", "//user:secret@"))
    return address


@pytest.fixture
def answering():
    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_server_on_this_machine_is_reached_directly(proxy, answering, host):
    from harness.tracking.mlflow_api import MlflowClient

    prepare_process()
    found = MlflowClient(f"http://{host}:{answering}").search_experiments(max_results=1)
    assert [experiment.name for experiment in found] == ["here"]


def test_loopback_is_never_asked_through_a_proxy(proxy):
    prepare_process()
    for host in ("127.0.0.1", "127.0.0.9", "localhost", "[::1]"):
        assert proxy_of(f"http://{host}:5000") == "", host
    assert proxy_of("http://tracking.example:5000") == proxy


@pytest.mark.parametrize(
    "given, expected",
    [
        ("", "localhost,127.0.0.1,127.0.0.0/8,::1,[::1]"),
        ("intranet, localhost", "intranet,localhost,127.0.0.1,127.0.0.0/8,::1,[::1]"),
        ("*", "*"),
    ],
)
def test_hosts_of_the_user_stay_in_the_list(proxy, monkeypatch, given, expected):
    monkeypatch.setenv("NO_PROXY", given)
    prepare_process()
    prepare_process()
    assert (os.environ.get("no_proxy") or os.environ["NO_PROXY"]) == expected


def test_without_a_proxy_nothing_is_set(proxy, monkeypatch):
    monkeypatch.delenv("http_proxy")  # system settings of macOS and Windows are read only where no variable is set
    prepare_process()
    assert "no_proxy" not in os.environ and "NO_PROXY" not in os.environ


def test_proxy_that_does_not_answer_is_named(proxy, tmp_path, capsys):
    address = "http://tracking.example:5000"
    assert main(["leaderboard", "--store", str(tmp_path), "--tracking-uri", address]) == 1
    message = capsys.readouterr().err
    assert f"{address} does not answer" in message and f"through the proxy {proxy}:" in message
    assert "NO_PROXY" in message and "secret" not in message


def test_proxy_to_the_hub_is_named(proxy, monkeypatch):
    from backbones.errors import BackboneError
    from backbones.timm_models import _check_hub_reachable

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")
    with pytest.raises(BackboneError, match=f"hub.example does not answer: .*through the proxy {proxy}:"):
        _check_hub_reachable("tf_efficientnet_b0.ns_jft_in1k")
