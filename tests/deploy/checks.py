"""All checks of what is rendered."""

from typing import Final

from tests.deploy import agreement, dashboards, monitoring, network, pod_security, schemas, shape, transport
from tests.deploy.rendered import Check

CHECKS: Final[tuple[Check, ...]] = (
    schemas.core,
    pod_security.restricted,
    shape.names,
    shape.selectors,
    shape.ports,
    shape.probes,
    shape.references,
    shape.resources,
    shape.images,
    shape.secrets,
    agreement.settings,
    agreement.environment,
    agreement.commands,
    agreement.grace,
    agreement.rollout,
    agreement.topics,
    agreement.scaling,
    agreement.database,
    network.default_deny,
    network.ways_out,
    network.ways_into_postgres,
    network.ways_in,
    transport.certificates,
    transport.postgres,
    transport.users,
    transport.autoscaler,
    monitoring.scraping,
    monitoring.metrics,
    monitoring.alerting,
    monitoring.limits,
    dashboards.shown,
    dashboards.drawn,
    dashboards.laid_out,
)
