"""Health check of a service: ``healthy.py URL [COMPONENT]``; exit code 0 or 1.

With COMPONENT, the URL is the health endpoint of Airflow's API server, which reports on its components.
Standard library only.
"""

import json
import sys
import urllib.request


def main(url: str, component: str | None = None) -> int:
    try:
        with urllib.request.urlopen(url, timeout=8) as response:  # noqa: S310 - from docker-compose.yaml
            health = json.load(response)
    except (OSError, ValueError) as error:
        print(f"{url}: {error}")
        return 1
    status = (health.get(component) or {}).get("status") if component else "healthy"
    print(f"{component or url}: {status}")
    return 0 if status == "healthy" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
