"""What is given to Kubernetes is valid, and says what dagster.servers.yaml says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import kubernetes_validate
import pytest
import yaml
from dagster._config import process_config
from dagster._core.instance.config import dagster_instance_config_schema
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import (
    DagsterK8sJobConfig,
    UserDefinedDagsterK8sConfig,
    construct_dagster_k8s_job,
    get_user_defined_k8s_config,
)
from kubernetes.client import ApiClient

from marketing_platform.automations.webhook_settings import WebhookSettings
from marketing_platform.defs.step_plan import TAG, Size, step_plan
from marketing_platform_tests.deploy.compose import PROJECT, ours
from marketing_platform_tests.deploy.variables import known

FOLDER = PROJECT / "deploy" / "kubernetes"


def _documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


VALUES: dict[str, Any] = _documents("values.yaml")[0]
_INSTANCE: dict[str, Any] = yaml.safe_load((PROJECT / "dagster.servers.yaml").read_text(encoding="utf-8"))
_API = {document["kind"]: document for document in _documents("api.yaml")}


@pytest.mark.parametrize("name", ["api.yaml", "dashboard.yaml", "settings.yaml", "webhooks.yaml"])
def test_manifests_keep_to_the_schemas_of_kubernetes(name: str) -> None:
    for document in _documents(name):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_a_wrong_manifest_is_noticed() -> None:
    wrong = {**_API["Deployment"], "spec": {**_API["Deployment"]["spec"], "replica": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_the_api_is_asked_nothing_before_it_serves_a_release() -> None:
    (container,) = _API["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert container["startupProbe"]["httpGet"]["path"] == "/health/live"
    assert container["command"] == ours()["api"]["command"]


@pytest.mark.parametrize("name", ["api.yaml", "webhooks.yaml"])
def test_it_may_do_nothing_it_need_not(name: str) -> None:
    documents = {document["kind"]: document for document in _documents(name)}
    spec = documents["Deployment"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert not spec["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["serviceAccountName"] == documents["ServiceAccount"]["metadata"]["name"]
    assert set(documents["NetworkPolicy"]["spec"]["policyTypes"]) == {"Ingress", "Egress"}


def test_the_dashboard_asks_the_api_with_a_key_from_a_secret() -> None:
    deployment, service = _documents("dashboard.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    given = {variable["name"]: variable["value"] for variable in container["env"]}
    assert given == {"MARKETING_DASHBOARD_API_URL": f"http://{_API['Service']['metadata']['name']}"}
    assert set(given) <= known()
    assert container["envFrom"] == [{"secretRef": {"name": "marketing-dashboard"}}]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert deployment["spec"]["template"]["metadata"]["labels"]["marketing-api-client"] == "true"
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]


def test_the_deliverer_is_that_of_compose_and_may_finish_what_is_under_way() -> None:
    documents = {document["kind"]: document for document in _documents("webhooks.yaml")}
    deployment, policy = documents["Deployment"], documents["NetworkPolicy"]
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["command"] == ours()["webhooks"]["command"]
    assert {"secretRef": {"name": "marketing-webhooks", "optional": True}} in container["envFrom"]
    assert spec["terminationGracePeriodSeconds"] > WebhookSettings().answer_seconds  # pyright: ignore[reportCallIssue]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"] == policy["spec"]["podSelector"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert policy["spec"]["ingress"] == []


def test_everything_about_the_api_means_the_same_pods() -> None:
    name = {"app.kubernetes.io/name": "marketing-api"}
    assert _API["Deployment"]["spec"]["selector"]["matchLabels"] == name
    assert _API["Service"]["spec"]["selector"] == name
    assert _API["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == name
    assert _API["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == name
    assert name.items() <= _API["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    assert _API["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "marketing-api"
    assert "replicas" not in _API["Deployment"]["spec"], "the autoscaler decides"


def test_every_variable_is_a_setting_and_none_is_a_secret() -> None:
    (settings,) = _documents("settings.yaml")
    assert set(settings["data"]) <= known()
    assert not [name for name in settings["data"] if "PASSWORD" in name]


def test_queue_and_pools_are_those_of_the_instance() -> None:
    concurrency, theirs = VALUES["concurrency"], _INSTANCE["concurrency"]
    assert concurrency["enabled"]
    assert concurrency["runs"] == {
        "maxConcurrentRuns": theirs["runs"]["max_concurrent_runs"],
        "tagConcurrencyLimits": theirs["runs"]["tag_concurrency_limits"],
    }
    assert concurrency["pools"] == {
        "granularity": theirs["pools"]["granularity"],
        "defaultLimit": theirs["pools"]["default_limit"],
    }


def test_monitoring_logs_and_retention_are_those_of_the_instance() -> None:
    monitoring = {_snake(name): value for name, value in VALUES["dagsterDaemon"]["runMonitoring"].items()}
    del monitoring["start_timeout_seconds"]  # a pod may have to wait for a node
    expected = dict(_INSTANCE["run_monitoring"])
    del expected["start_timeout_seconds"]
    assert monitoring == expected
    assert set(monitoring) <= set(dagster_instance_config_schema()["run_monitoring"].config_type.fields)
    assert VALUES["pythonLogs"]["pythonLogLevel"] == _INSTANCE["python_logs"]["python_log_level"]
    assert (
        VALUES["retention"]["sensor"]["purgeAfterDays"]
        == _INSTANCE["retention"]["sensor"]["purge_after_days"]
    )
    assert VALUES["computeLogManager"]["type"] == _INSTANCE["compute_logs"]["class"]
    assert VALUES["telemetry"]["enabled"] is False


@pytest.mark.parametrize("job", sorted(step_plan().jobs))
def test_runs_are_jobs_that_kubernetes_takes(job: str) -> None:
    pod = _pod(step_plan().run_tags(job))
    (container,) = pod["containers"]
    planned = json.loads(step_plan().run_tags(job)[TAG])["container_config"]["resources"]
    assert container["resources"] == planned
    assert pod["terminationGracePeriodSeconds"] > 0


def test_a_run_that_no_job_has_sized_may_be_any_step() -> None:
    """Somebody materializes a few assets in the UI."""
    (container,) = _pod({})["containers"]
    sizes = step_plan().sizes.values()
    given = Size(
        cpu=container["resources"]["requests"]["cpu"], memory=container["resources"]["limits"]["memory"]
    )
    assert given.mebibytes >= max(size.mebibytes for size in sizes)
    assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"]


def test_dagster_takes_the_launcher_and_the_queue_as_the_chart_writes_them() -> None:
    launcher = VALUES["runLauncher"]
    assert launcher["type"] == "K8sRunLauncher"
    config = {
        **_snake_keys(launcher["config"]["k8sRunLauncher"]),
        # What the chart adds of its own accord.
        "service_account_name": "dagster",
        "dagster_home": "/opt/dagster/dagster_home",
        "instance_config_map": "dagster-instance",
    }
    taken = process_config(K8sRunLauncher.config_type(), config)
    assert taken.success, taken.errors
    queue = _snake_keys(VALUES["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"])
    taken = process_config(QueuedRunCoordinator.config_type(), queue)
    assert taken.success, taken.errors
    assert VALUES["concurrency"]["pools"]["defaultLimit"] >= 1


def _pod(tags: Mapping[str, str]) -> dict[str, Any]:
    """The pod of a run with these tags, made as Dagster makes it, and valid to Kubernetes."""
    launched = _snake_keys(VALUES["runLauncher"]["config"]["k8sRunLauncher"])
    context = K8sContainerContext(
        image_pull_policy=launched["image_pull_policy"],
        run_k8s_config=UserDefinedDagsterK8sConfig.from_dict(launched["run_k8s_config"]),
    ).merge(K8sContainerContext(run_k8s_config=get_user_defined_k8s_config(tags)))
    config = DagsterK8sJobConfig(
        job_image="marketing-platform:1",
        dagster_home="/opt/dagster/dagster_home",
        instance_config_map="dagster-instance",
    )
    job = construct_dagster_k8s_job(
        config,
        args=["dagster", "api", "execute_run"],
        job_name="run",
        user_defined_k8s_config=context.run_k8s_config,
    )
    document = ApiClient().sanitize_for_serialization(job)
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    return document["spec"]["template"]["spec"]


def test_no_password_is_in_the_values() -> None:
    assert VALUES["generatePostgresqlPasswordSecret"] is False
    assert "postgresqlPassword" not in VALUES["postgresql"]


def test_definitions_are_those_of_the_workspace() -> None:
    (deployment,) = VALUES["dagster-user-deployments"]["deployments"]
    arguments = deployment["codeServerArgs"]
    command = ours()["code"]["command"]
    assert arguments == command[command.index("--module-name") : command.index("--module-name") + 2]
    (container_security, api_security) = (
        deployment["securityContext"],
        _API["Deployment"]["spec"]["template"]["spec"]["containers"][0]["securityContext"],
    )
    assert container_security == api_security


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _snake_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dagster takes snake case down to where Kubernetes' own words begin, and those as they are, too."""
    return {
        _snake(name): _snake_keys(inner) if name == "runK8sConfig" else inner
        for name, inner in values.items()
    }
