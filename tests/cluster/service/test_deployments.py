"""Each deployment takes its replicas, its scaling and its share of a GPU from the configuration."""

from jobs.steps.serve.deployments import Part, _deployment
from schemas.config import DeploymentConfig


def test_a_range_of_replicas_scales_by_itself() -> None:
    settings = DeploymentConfig(
        min_replicas=2, max_replicas=5, target_ongoing_requests=3, num_gpus=0.5, upscale_delay_s=6, downscale_delay_s=60
    )
    deployment = _deployment(Part, "reranker", settings, {"num_cpus": 0.25, "num_gpus": 0.5, "memory": 1000}, 10)
    scaling = deployment._deployment_config.autoscaling_config
    assert scaling
    assert (scaling.min_replicas, scaling.max_replicas, scaling.target_ongoing_requests) == (2, 5, 3)
    assert (scaling.upscale_delay_s, scaling.downscale_delay_s) == (6, 60)
    assert (scaling.look_back_period_s, scaling.metrics_interval_s) == (6, 2)
    assert deployment.ray_actor_options == {"num_cpus": 0.25, "num_gpus": 0.5, "memory": 1000}


def test_one_number_of_replicas_is_kept() -> None:
    settings = DeploymentConfig(min_replicas=3, max_replicas=3, max_ongoing_requests=7)
    deployment = _deployment(Part, "searcher", settings, {"num_cpus": 0.25}, 10)
    assert deployment.num_replicas == 3
    assert deployment._deployment_config.autoscaling_config is None
    assert deployment.max_ongoing_requests == 7


def test_a_replica_that_is_replaced_may_end_what_it_has_in_hand() -> None:
    """A request that may take 50 s was killed after Ray's 20."""
    deployment = _deployment(Part, "api", DeploymentConfig(), {"num_cpus": 0.25}, 50)
    assert deployment._deployment_config.graceful_shutdown_timeout_s > 50
