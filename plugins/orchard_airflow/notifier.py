"""Notify people through an Airflow connection.

A notification that cannot be sent never fails the task: it is only logged. Requests to a server that does not
answer time out.
"""

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from airflow.providers.amazon.aws.hooks.sns import SnsHook
from airflow.providers.http.hooks.http import HttpHook
from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk import BaseHook, BaseNotifier, Connection
from airflow.sdk.log import mask_secret, redact  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from airflow.sdk import Context

SHOWN_REASON = 1000
"""Maximum characters of an error; the log has all of it."""

TIMEOUT = 15
"""Seconds for a server to answer."""

SUBJECT = 100
"""Maximum characters of an SNS subject, which must be ASCII without line breaks."""


class OrchardNotifier(BaseNotifier):
    """Report a failed task, as its ``on_failure_callback``, or send any other message with ``send``.

    The connection's type selects the channel:

    - ``aws``: the SNS topic ``topic_arn`` in its extra.
    - ``smtp``: mail to ``to`` in its extra, an address or a list of addresses.
    - ``http``: ``{"text": …}`` posted to the URL in its host, the format of Slack, Mattermost and Teams.
      ``&``, ``<`` and ``>`` are escaped, as Slack requires: image names cannot become links or mention a
      whole channel (https://docs.slack.dev/messaging/formatting-message-text/).

    Synchronous, because Airflow calls task callbacks synchronously: in the task's process, or in the DAG
    processor if that process is gone.

    Args:
        conn_id: The connection.
    """

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    def notify(self, context: "Context") -> None:
        self.send(*describe_failure(context))

    def send(self, subject: str, text: str) -> None:
        """Send a message, with the secrets that Airflow knows masked."""
        try:
            connection = BaseHook.get_connection(self.conn_id)
            _sender(connection)(connection, _to_subject(subject), str(redact(text)))
        except Exception as error:
            why = " ".join(str(redact(f"{type(error).__name__}: {error}")).split())[:SHOWN_REASON]
            self.log.warning("Could not send '%s' through connection '%s': %s", subject, self.conn_id, why)
        else:
            self.log.info("Sent '%s' through connection '%s'", subject, self.conn_id)


def describe_failure(context: "Context") -> tuple[str, str]:
    """Return the subject and the text for a task that failed after its last try."""
    ti: Any = context["ti"]
    # Airflow passes no exception if the task's process was killed.
    reason = str(context.get("exception") or "unknown: the task's process was killed")
    lines = [
        f"DAG: {ti.dag_id}",
        f"Run: {ti.run_id}",
        f"Task: {ti.task_id}, try {ti.try_number}",
        f"Log: {getattr(ti, 'log_url', 'see the task')}",
        "What to do: fix the cause (the DAG's documentation describes each task), then clear the task with "
        "its downstream tasks.",
        f"Reason: {reason.strip()[:SHOWN_REASON]}",
    ]
    return f"Orchard: {ti.task_id} of {ti.dag_id} failed", "\n".join(lines)


def _sender(connection: Connection) -> Callable[[Connection, str, str], None]:
    senders = {"aws": _publish_to_topic, "smtp": _mail, "http": _post}
    if connection.conn_type not in senders:
        raise ValueError(
            f"its type is {connection.conn_type}: it must be aws (SNS), smtp or http (a webhook). "
            "Correct the connection, or ORCHARD_NOTIFY_CONN_ID"
        )
    return senders[connection.conn_type]


def _publish_to_topic(connection: Connection, subject: str, text: str) -> None:
    arn = _extra(connection, "topic_arn", "arn:aws:sns:eu-west-3:111122223333:alerts")
    patience = {"connect_timeout": TIMEOUT, "read_timeout": TIMEOUT, "retries": {"total_max_attempts": 2}}
    # SNS accepts a topic only in its own region.
    region = (arn.split(":") + [""] * 4)[3] or None
    hook = SnsHook(aws_conn_id=connection.conn_id, region_name=region, config=patience)
    hook.publish_to_target(target_arn=arn, message=text, subject=subject)


def _mail(connection: Connection, subject: str, text: str) -> None:
    to = _extra(connection, "to", "team@example.org")
    with SmtpHook(smtp_conn_id=connection.conn_id) as hook:
        hook.send_email_smtp(to=to, subject=subject, html_content=f"<pre>{html.escape(text)}</pre>")


def _post(connection: Connection, subject: str, text: str) -> None:
    # A webhook's path or query is its secret, which error messages contain and the hook's `run` would log.
    url = urlsplit(connection.host or "")
    for secret in (url.path, url.query, *(value for _, value in parse_qsl(url.query))):
        mask_secret(secret)
    hook = HttpHook(http_conn_id=connection.conn_id)
    session = hook.get_conn()
    message = html.escape(f"{subject}\n{text}", quote=False)
    response = session.post(hook.base_url, json={"text": message}, timeout=TIMEOUT)
    if not response.ok:
        raise ValueError(f"the server answered {response.status_code} {response.reason}")


def _extra(connection: Connection, key: str, example: str) -> Any:
    value = connection.extra_dejson.get(key)
    if not value:
        raise ValueError(f'its extra has no {key}. Add one, such as {{"{key}": "{example}"}}')
    return value


def _to_subject(text: str) -> str:
    plain = " ".join(text.split()).encode("ascii", errors="replace").decode()
    return plain[:SUBJECT]
