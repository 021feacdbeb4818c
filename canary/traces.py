"""Removing what a canary leaves: clusters by their tags, objects by their folders, old versions too."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from canary.session import Session
from erasure.holdings import open_holdings
from orchard.emr.job_flow import lake_clusters
from orchard.lake.event_logs import event_logs_of, unnamed_event_logs
from orchard.lake.objects import Stored
from orchard.lake.storage import storage_for
from orchard_airflow.emr_api import live_clusters
from orchard_jobs.errors import OrchardError, first_line
from readiness.finding import Finding, failed, passed, skipped

TRIES = 3
"""EMR may upload a log while its folder is being deleted."""


@dataclass(frozen=True)
class Removal:
    """A part of the cleaning up: what it is of, and the finding that it ends with."""

    name: str
    session: Session
    clusters: list[str]

    def carry_out(self) -> Finding:
        """Whatever goes wrong here must not keep the other parts from being done."""
        try:
            return self._clusters() if self.name == "clusters" else self._objects()
        except Exception as error:
            found = f"{type(error).__name__}: {first_line(error)}"
            return failed(f"no {self.name} left", found, describe_by_hand(self.session))

    def _clusters(self) -> Finding:
        session, check = self.session, "no clusters left"
        self.clusters[:] = session.clusters.end_all(session.plan.own.waits.terminate_timeout, session.tell)
        if left := session.clusters.list_left():
            return failed(check, f"not ended: {', '.join(left)}", describe_by_hand(session))
        return passed(
            check, f"{len(self.clusters)} were made, and all have ended: EMR lists none by their tags"
        )

    def _objects(self) -> Finding:
        session, check = self.session, "no objects left"
        folders = list(_list_folders(session, self.clusters))
        refusal, left = "", [""]
        for _ in range(TRIES):
            refusal = self._delete(folders)
            left = [f"{folder}/{one.name}" for folder in folders for one in self._list(folder)]
            if not left:
                break
            time.sleep(session.clusters.poll)
        if left:
            return failed(check, f"{len(left)} left, as {left[0]}", describe_by_hand(session))
        if refusal:
            remedy = "the bucket's rule on old versions removes them; until then s3:DeleteObjectVersion does"
            return skipped(
                check, f"none is current in {len(folders)} folders, old versions are: {refusal}", remedy
            )
        return passed(check, f"none in {len(folders)} folders, and no old versions")

    def _delete(self, folders: list[str]) -> str:
        """Delete what is in the folders; return why old versions stay, '' where they do not."""
        refusal, access = "", self.session.plan.own.access
        for folder in folders:
            holdings = open_holdings(folder, access)
            try:
                holdings.erase(holdings.below(folder))
            except OrchardError as error:
                refusal = error.message
            # Without the permission for versions, what is current goes all the same; and empty folders do.
            storage_for(folder.rpartition("/")[0], access).delete_folder(folder)
        return refusal

    def _list(self, folder: str) -> list[Stored]:
        return storage_for(folder, self.session.plan.own.access).objects(folder)


def remove_traces(session: Session) -> Iterator[Finding]:
    """End the clusters, then delete what they and the canary wrote; yield what is proved of either."""
    clusters: list[str] = []
    for name in ("clusters", "objects"):
        yield Removal(name, session, clusters).carry_out()


def describe_by_hand(session: Session) -> str:
    """Say how somebody removes what a canary left that was killed."""
    known = " ".join(session.clusters.known.values())
    ending = f"aws emr terminate-clusters --cluster-ids {known}, then " if known else ""
    return (
        f"{ending}delete {session.plan.folder}/; clusters have the tag orchard:run={session.plan.name}, and "
        "EMR ends them when they are idle"
    )


def _list_folders(session: Session, clusters: list[str]) -> Iterator[str]:
    """Yield the folders that nobody else has written into."""
    yield session.plan.folder
    yield from (f"{session.logs}/{cluster_id}" for cluster_id in clusters)
    if session.cluster_id:
        logs, storage, known = session.logs, session.log_storage, session.event_logs
        yield from event_logs_of(session.plan.slug, logs, storage, known)
        if not live_clusters(session.clusters.client, lake_clusters(session.plan.settings)):
            # Of a step that was killed before Spark had written its name: no other cluster writes any.
            yield from unnamed_event_logs(logs, storage, known)
