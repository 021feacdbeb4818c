"""Telling people what happened: an Airflow connection says where.

A notification is not the work: what cannot be sent is one line in the log, and changes nothing else. A
server that does not answer is given up after some seconds.
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
"""Characters of an error: its first lines say what it is, and the log has all of it."""

TIMEOUT = 15
"""Seconds for a server to answer."""

SUBJECT = 100
"""Characters that SNS takes; it refuses other than ASCII, and line breaks."""


class OrchardNotifier(BaseNotifier):
    """Tell of a failed task, as its ``on_failure_callback``, or of something else with ``tell``.

    Where to is said by the connection's type:

    - ``aws``: to the SNS topic ``topic_arn`` of its extra.
    - ``smtp``: by mail to ``to`` of its extra, an address or a list of them.
    - ``http``: as ``{"text": …}``, posted to the URL in its host, as Slack, Mattermost and Teams take it.
      As Slack asks for it, ``&``, ``<`` and ``>`` are escaped: no name of an image becomes a link, or
      calls a whole channel (https://docs.slack.dev/messaging/formatting-message-text/).

    Synchronous, because that is how Airflow calls the callbacks of tasks: in the task's process, or in the
    DAG processor if that process is gone.

    Args:
        conn_id: The connection.
    """

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    def notify(self, context: "Context") -> None:
        self.tell(*describe_failure(context))

    def tell(self, subject: str, text: str) -> None:
        """Send a message, in which secrets that Airflow knows are masked."""
        try:
            connection = BaseHook.get_connection(self.conn_id)
            _sender(connection)(connection, _to_subject(subject), str(redact(text)))
        except Exception as error:
            why = " ".join(str(redact(f"{type(error).__name__}: {error}")).split())[:SHOWN_REASON]
            self.log.warning("Could not tell '%s' through connection '%s': %s", subject, self.conn_id, why)
        else:
            self.log.info("Told '%s' through connection '%s'", subject, self.conn_id)


def describe_failure(context: "Context") -> tuple[str, str]:
    """Return the subject and the text for a task that failed after its last try."""
    ti: Any = context["ti"]
    # Airflow knows no reason where the process of the task was killed.
    reason = str(context.get("exception") or "none is known: the task's process has ended")
    lines = [
        f"DAG: {ti.dag_id}",
        f"Run: {ti.run_id}",
        f"Task: {ti.task_id}, try {ti.try_number}",
        f"Log: {getattr(ti, 'log_url', 'see the task')}",
        "What to do: the documentation of the DAG says what each task needs. Once that is there, clear the "
        "task with its downstream tasks.",
        f"Reason: {reason.strip()[:SHOWN_REASON]}",
    ]
    return f"Orchard: {ti.task_id} of {ti.dag_id} failed", "\n".join(lines)


def _sender(connection: Connection) -> Callable[[Connection, str, str], None]:
    senders = {"aws": _publish_to_topic, "smtp": _mail, "http": _post}
    if connection.conn_type not in senders:
        raise ValueError(
            f"its type is {connection.conn_type}: it takes aws (SNS), smtp or http (a webhook). "
            "Correct the connection, or ORCHARD_NOTIFY_CONN_ID"
        )
    return senders[connection.conn_type]


def _publish_to_topic(connection: Connection, subject: str, text: str) -> None:
    arn = _extra(connection, "topic_arn", "arn:aws:sns:eu-west-3:111122223333:alerts")
    patience = {"connect_timeout": TIMEOUT, "read_timeout": TIMEOUT, "retries": {"total_max_attempts": 2}}
    # SNS takes a topic only in the topic's own region.
    region = (arn.split(":") + [""] * 4)[3] or None
    hook = SnsHook(aws_conn_id=connection.conn_id, region_name=region, config=patience)
    hook.publish_to_target(target_arn=arn, message=text, subject=subject)


def _mail(connection: Connection, subject: str, text: str) -> None:
    to = _extra(connection, "to", "team@example.org")
    with SmtpHook(smtp_conn_id=connection.conn_id) as hook:
        hook.send_email_smtp(to=to, subject=subject, html_content=f"<pre>{html.escape(text)}</pre>")


def _post(connection: Connection, subject: str, text: str) -> None:
    # The path of a webhook, or its query, is its key. The text of an error has it, and the hook's own `run`
    # would log that.
    url = urlsplit(connection.host or "")
    for secret in (url.path, url.query, *(value for _, value in parse_qsl(url.query))):
        mask_secret(secret)
    hook = HttpHook(http_conn_id=connection.conn_id)
    session = hook.get_conn()
    message = html.escape(f"{subject}\n{text}", quote=False)
    response = session.post(hook.base_url, json={"text": message}, timeout=TIMEOUT)
    if not response.ok:
        raise ValueError(f"it answers {response.status_code} {response.reason}")


def _extra(connection: Connection, key: str, example: str) -> Any:
    value = connection.extra_dejson.get(key)
    if not value:
        raise ValueError(f'its extra has no {key}: it takes one, as {{"{key}": "{example}"}}')
    return value


def _to_subject(text: str) -> str:
    plain = " ".join(text.split()).encode("ascii", errors="replace").decode()
    return plain[:SUBJECT]
