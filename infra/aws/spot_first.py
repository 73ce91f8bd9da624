"""The nodes of ray_cluster.yaml: Ray's own on AWS, but on demand where no spot instance is to be had.

Ray 2.60's autoscaler asks for a spot node again and again, and never for one of another group: it lowers a group whose
nodes did not come up in time, not one of which AWS had none (docs/decisions/operate.md).
"""

from collections.abc import Mapping
from typing import Any

from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler.node_launch_exception import NodeLaunchException

NONE_LEFT = (
    "InsufficientInstanceCapacity",
    "MaxSpotInstanceCountExceeded",
    "SpotMaxPriceTooLow",
    "UnfulfillableCapacity",
)
"""What AWS says, by its EC2 API's error codes, where there is no spot instance of a type, or no more for you."""
SPOT = "InstanceMarketOptions"


class SpotFirst(AWSNodeProvider):
    """Starts nodes of a group that asks for spot instances on demand, where AWS has none in any of the zones."""

    def create_node(self, node_config: Mapping[str, Any], tags: Mapping[str, str], count: int) -> dict[str, Any]:
        try:
            made: dict[str, Any] = super().create_node(node_config, tags, count)
        except NodeLaunchException as error:
            if SPOT not in node_config or error.category not in NONE_LEFT:
                raise
            on_demand = {key: value for key, value in node_config.items() if key != SPOT}
            made = super().create_node(on_demand, tags, count)
        return made
