"""A Spark driver that runs one job after another: ``spark-submit --py-files … warm_spark.py SOCKET``.

The jobs are the real ones, as ``run.py`` starts them, but their Spark is started once. A job whose client is
gone is cancelled, as a driver ends with its process; the next job starts when it has ended.
"""

import contextlib
import io
import json
import select
import socketserver
import sys
import threading
import traceback

# All of it from there: it says with how many threads NumPy starts, before pyspark loads it.
from orchard_jobs import cli
from orchard_jobs.cli import SparkContext, main

ONE_AT_A_TIME = threading.Lock()


class Step(socketserver.StreamRequestHandler):
    """One connection: a job's arguments as a line of JSON, then its exit code and what it said."""

    def handle(self) -> None:
        job = json.loads(self.rfile.readline())
        group = f"{id(self)} {job[0]}"
        thread = threading.Thread(target=self._run, args=(job, group))
        with ONE_AT_A_TIME:
            if self._client_is_gone():
                return
            thread.start()
            while thread.is_alive():
                if self._client_is_gone():
                    SparkContext.getOrCreate().cancelJobGroup(group)
                thread.join(0.05)
        if not self._client_is_gone():
            self.wfile.write(
                json.dumps({"code": self.code, "output": self.output.getvalue()}).encode() + b"\n"
            )

    def _run(self, job: list[str], group: str) -> None:
        SparkContext.getOrCreate().setJobGroup(group, job[0], interruptOnCancel=True)
        self.output = io.StringIO()
        with contextlib.redirect_stdout(self.output), contextlib.redirect_stderr(self.output):
            try:
                self.code = main(job)
            except Exception:
                self.code = 1
                traceback.print_exc()

    def _client_is_gone(self) -> bool:
        """It says nothing more: what is there to be read is the end."""
        return bool(select.select([self.connection], [], [], 0)[0])


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


if __name__ == "__main__":
    SparkContext.getOrCreate()
    cli.stop = lambda context: None  # a job ends its Spark: this one outlives it
    with Server(sys.argv[1], Step) as server:
        server.serve_forever()
