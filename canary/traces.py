"""Cleans up after a canary: clusters by their tags, objects by their folders, with old versions."""

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
    """One part of the clean-up, which ends with a finding."""

    name: str
    session: Session
    clusters: list[str]

    def carry_out(self) -> Finding:
        """An error here must not prevent the other parts."""
        try:
            return self._clusters() if self.name == "clusters" else self._objects()
        except Exception as error:
            found = f"{type(error).__name__}: {first_line(error)}"
            return failed(f"no {self.name} left", found, describe_by_hand(self.session))

    def _clusters(self) -> Finding:
        session, check = self.session, "no clusters left"
        self.clusters[:] = session.clusters.end_all(session.plan.own.waits.terminate_timeout, session.tell)
        if left := session.clusters.list_left():
            return failed(check, f"not terminated: {', '.join(left)}", describe_by_hand(session))
        return passed(
            check, f"all {len(self.clusters)} that were created have ended; EMR lists no other by tag"
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
            remedy = (
                "the bucket's lifecycle rule removes old versions; s3:DeleteObjectVersion lets you do it now"
            )
            return skipped(check, f"only old versions are left in {len(folders)} folders: {refusal}", remedy)
        return passed(check, f"none in {len(folders)} folders, and no old versions")

    def _delete(self, folders: list[str]) -> str:
        """Delete the folders' objects; return why old versions stay, '' if they do not."""
        refusal, access = "", self.session.plan.own.access
        for folder in folders:
            holdings = open_holdings(folder, access)
            try:
                holdings.erase(holdings.below(folder))
            except OrchardError as error:
                refusal = error.message
            # Current objects and empty folders are deleted even without the permission for versions.
            storage_for(folder.rpartition("/")[0], access).delete_folder(folder)
        return refusal

    def _list(self, folder: str) -> list[Stored]:
        return storage_for(folder, self.session.plan.own.access).objects(folder)


def remove_traces(session: Session) -> Iterator[Finding]:
    """Terminate the clusters, delete what they and the canary wrote, and yield a finding for each."""
    clusters: list[str] = []
    for name in ("clusters", "objects"):
        yield Removal(name, session, clusters).carry_out()


def describe_by_hand(session: Session) -> str:
    """Say how to remove by hand what a killed canary left behind."""
    known = " ".join(session.clusters.known.values())
    ending = f"aws emr terminate-clusters --cluster-ids {known}, then " if known else ""
    return (
        f"{ending}delete {session.plan.folder}/; clusters have the tag orchard:run={session.plan.name}, and "
        "EMR terminates them when they are idle"
    )


def _list_folders(session: Session, clusters: list[str]) -> Iterator[str]:
    """Yield the folders that only this canary has written to."""
    yield session.plan.folder
    yield from (f"{session.logs}/{cluster_id}" for cluster_id in clusters)
    if session.cluster_id:
        logs, storage, known = session.logs, session.log_storage, session.event_logs
        yield from event_logs_of(session.plan.slug, logs, storage, known)
        if not live_clusters(session.clusters.client, lake_clusters(session.plan.settings)):
            # A killed step may leave a log without a name; with no other live cluster, it is this canary's.
            yield from unnamed_event_logs(logs, storage, known)
