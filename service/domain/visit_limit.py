"""How many visits that are not over a customer may have at a location, for requests in public mode."""

from service.domain.graph import Graph
from service.domain.model import Members
from service.domain.world import World


def over_limit(world: World, visit_id: str, members: Members, settings: Members, graph: Graph) -> bool:
    """Tells whether this visit would be one too many; a visit without a customer has no limit."""
    limit, customer_id = settings["max_customer_visits"], members["customer_id"]
    if limit is None or customer_id is None or graph.states[members["state"]].final:
        return False
    others = sum(other != visit_id for other in world.active_visits(members["location_id"], customer_id))
    return bool(others >= limit)
