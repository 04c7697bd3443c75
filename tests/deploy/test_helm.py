"""The chart, by Helm itself: linted, rendered, and held against the schemas of Kubernetes."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import syncline
from syncline.cli.words import parse
from syncline.operate.folder import Folder
from syncline.spec import loads
from tests.deploy.tools import DEPLOY, ROOT, helm, kubernetes_validate
from tests.support.services import cannot

CHART = DEPLOY / "helm/syncline"
VALUES = sorted(CHART.joinpath("ci").glob("*-values.yaml"))
OPERATOR = {"ServiceMonitor", "PrometheusRule"}
"""Kinds of the Prometheus operator: Kubernetes has no schema of them."""

every_values = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)


def call(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm(), *words], capture_output=True, text=True, timeout=60)


def rendered(*words: str | Path, chart: Path = CHART) -> list[dict[str, Any]]:
    done = call("template", "feeds", chart, "--namespace", "data", *words)
    assert done.returncode == 0, done.stderr
    return [part for part in yaml.safe_load_all(done.stdout) if part]


def only(parts: Sequence[dict[str, Any]], kind: str) -> dict[str, Any]:
    (part,) = (part for part in parts if part["kind"] == kind)
    return part


def pods(parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for part in parts:
        spec = part.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        found += [spec["template"]["spec"]] if "template" in spec else []
    return found


@every_values
def test_helm_finds_nothing_to_say_against_the_chart(values: Path) -> None:
    done = call("lint", "--strict", CHART, "--values", values)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("version", ["1.30", "1.34"])
@every_values
def test_kubernetes_knows_everything_that_is_rendered(values: Path, version: str, tmp_path: Path) -> None:
    parts = rendered("--values", values)
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(yaml.safe_dump_all(part for part in parts if part["kind"] not in OPERATOR))
    said = kubernetes_validate(manifest, version).splitlines()
    assert [line for line in said if not line.startswith("INFO ")] == []
    assert len(said) == sum(part["kind"] not in OPERATOR for part in parts) > 1


@every_values
def test_every_pod_is_nobody_in_particular_and_writes_only_to_its_volumes(values: Path) -> None:
    found = pods(rendered("--values", values))
    assert found
    for pod in found:
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert writable == {"/work", "/tmp"}
        assert pod["terminationGracePeriodSeconds"] > 10


@every_values
def test_no_secret_stands_in_what_is_rendered(values: Path) -> None:
    parts = rendered("--values", values)
    assert "Secret" not in {part["kind"] for part in parts}
    assert all("secretRef" in source for pod in pods(parts) for source in pod["containers"][0]["envFrom"])


def test_the_server_runs_once_and_answers_to_whoever_asks_it_in_a_cluster() -> None:
    parts = rendered("--values", CHART / "ci/serve-values.yaml")
    deployment, service = only(parts, "Deployment"), only(parts, "Service")
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    verb, words = parse(container["args"])
    assert (verb.name, words.folder, words.host, words.allow_writes) == ("serve", "/integrations", "0.0.0.0", False)
    # Prometheus and the probes ask by the pod's address; a person through a forwarded port
    assert {"$(POD_IP):8321", "feeds-syncline:8321", "127.0.0.1:8321"} <= set(words.allow_host)
    assert {"POD_IP"} == {one["name"] for one in container["env"]}
    assert {container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")} == {
        "/healthz"
    }
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert only(parts, "PersistentVolumeClaim")["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    for text in only(parts, "ConfigMap")["data"].values():
        assert loads(text).schedule


def test_a_cron_job_runs_one_file_and_does_not_try_again_what_needs_a_person_or_time() -> None:
    parts = rendered("--values", CHART / "ci/cron-values.yaml")
    jobs = [part["spec"] for part in parts if part["kind"] == "CronJob"]
    orders, refunds = jobs
    assert {part["kind"] for part in parts} == {"CronJob", "ServiceAccount"}
    assert (orders["schedule"], orders["suspend"], orders["concurrencyPolicy"]) == ("*/15 * * * *", False, "Forbid")
    assert (refunds["timeZone"], refunds["suspend"]) == ("Europe/Paris", True)
    verb, words = parse(pods(parts)[1]["containers"][0]["args"])
    assert (verb.name, words.file, words.stream, words.json) == (
        "run", "/integrations/shop-refunds.yaml", ["refunds"], True,
    )  # fmt: skip
    rule = orders["jobTemplate"]["spec"]["podFailurePolicy"]["rules"][0]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"]["values"] == [2, 4, 5, 6, 75]


def test_a_file_given_on_the_command_line_arrives_as_it_is() -> None:
    file = ROOT / "examples/shop-orders.yaml"
    parts = rendered("--set-file", rf"integrations.shop-orders\.yaml={file}")
    assert only(parts, "ConfigMap")["data"] == {"shop-orders.yaml": file.read_text()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "no integrations: give the files in `integrations`, or the name of a ConfigMap"),
        ("existingConfigMap=x,mode=cron", "mode: cron needs `cronJobs`"),
        (r"integrations.a\.yaml=x,mode=cron,cronJobs[0].name=b,cronJobs[0].schedule=x,cronJobs[0].file=b.yaml",
         "cronJobs: b runs b.yaml, which is not among `integrations`"),
        ("existingConfigMap=x,replicas=2", "additional properties 'replicas' not allowed"),
        ("existingConfigMap=x,serve.token.name=x", "properties 'key' required, if 'name' exists"),
        ("existingConfigMap=x,mode=twice", "value must be one of 'serve', 'cron'"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_meant_are_refused_with_a_reason(words: str, said: str) -> None:
    done = call("template", "feeds", CHART, *(["--set", words] if words else []))
    assert done.returncode != 0
    assert said in done.stderr


def test_the_operator_gets_our_alert_rules_and_finds_the_service(tmp_path: Path) -> None:
    parts = rendered("--values", CHART / "ci/everything-values.yaml")
    rules, monitor = only(parts, "PrometheusRule")["spec"], only(parts, "ServiceMonitor")["spec"]
    assert rules == yaml.safe_load(DEPLOY.joinpath("prometheus/syncline.rules.yml").read_text())
    assert monitor["selector"]["matchLabels"].items() <= only(parts, "Service")["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] == only(parts, "Service")["spec"]["ports"][0]["name"]
    dashboard = next(part for part in parts if part["metadata"]["name"] == "feeds-dashboard")
    assert json.loads(dashboard["data"]["syncline.json"])["panels"]
    tool = shutil.which("promtool") or cannot("promtool is not installed (Debian package prometheus)")
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump(rules))
    done = subprocess.run([tool, "check", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", ["serve", "cron"])
def test_the_notes_say_commands_that_there_are(values: str) -> None:
    done = call("install", "feeds", CHART, "--dry-run=client", "--values", CHART / f"ci/{values}-values.yaml")
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    inside = [shlex.split(line.partition(" -- syncline ")[2]) for line in notes.splitlines() if " -- syncline " in line]
    assert "kubectl -n default" in notes
    assert all(parse(words) for words in inside)


def test_the_chart_is_packed_with_the_version_of_the_program(tmp_path: Path) -> None:
    done = call("package", CHART, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    archive = next(tmp_path.glob("*.tgz"))
    shown = yaml.safe_load(call("show", "chart", archive).stdout)
    values = ("--values", CHART / "ci/everything-values.yaml")
    assert shown["appVersion"] == syncline.__version__
    # the links into the repository are files there
    assert rendered(*values, chart=archive) == rendered(*values)


def test_files_that_a_config_map_exchanges_are_seen(tmp_path: Path) -> None:
    """Kubernetes mounts links into a hidden folder, and exchanges that folder as a whole."""
    text = yaml.safe_load(CHART.joinpath("ci/serve-values.yaml").read_text())["integrations"]["shop-orders.yaml"]
    exchange(tmp_path, "..1", text)
    tmp_path.joinpath("shop-orders.yaml").symlink_to("..data/shop-orders.yaml")
    folder = Folder(tmp_path)
    (first,) = folder.look(at_once=True).found
    exchange(tmp_path, "..2", text.replace("every 15 minutes", "every 20 minutes"))
    folder.look()
    (second,) = folder.look().found
    assert [one.path.name for one in (first, second)] == ["shop-orders.yaml"] * 2
    assert first.integration is not None and second.integration is not None
    assert first.integration.schedule != second.integration.schedule


def exchange(folder: Path, name: str, text: str) -> None:
    folder.joinpath(name).mkdir()
    folder.joinpath(name, "shop-orders.yaml").write_text(text)
    folder.joinpath("..next").symlink_to(name)
    folder.joinpath("..next").replace(folder / "..data")
