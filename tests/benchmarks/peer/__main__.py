"""Runs the peer as a process of its own, on uvloop as FastStream's command line does."""

import os

import uvloop

from tests.benchmarks.peer.application import PeerSettings, application

if __name__ == "__main__":
    settings = PeerSettings(
        database_url=os.environ["PEER_DATABASE_URL"],
        bootstrap=os.environ["PEER_KAFKA_BOOTSTRAP"],
        prefix=os.environ["PEER_TOPIC_PREFIX"],
        max_workers=int(os.environ["PEER_MAX_WORKERS"]),
    )
    uvloop.run(application(settings).run())
