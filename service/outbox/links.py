"""The action links of an event: a token for each action that a customer may take, where the location wants them."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

from service.domain.graph import Graph
from service.domain.instants import instant_text
from service.domain.link import offered
from service.domain.model import Changed, Members
from service.links.keys import Keyring
from service.links.token import Bearer, write_token

# By action; None where the location hands out none.
Links: TypeAlias = Mapping[str, Mapping[str, str]] | None


def links_of(changed: Changed, settings: Members, graph: Graph, keys: Keyring, now: datetime) -> Links:
    """Gives the links of a change; `now` is its command's append time, so that the same command has the same ones."""
    if not settings["action_links"]:
        return None
    after = changed.after
    links = offered(graph, after, settings["timezone"], now)
    if not links:
        return {}
    key_id, secret = keys.signing(now)
    return {
        link.action: {
            "token": write_token(Bearer(key_id, after.account_id, graph.aggregate, after.id, link), secret),
            "expires_at": instant_text(link.expires_at),
        }
        for link in links
    }
