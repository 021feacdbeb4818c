"""Whether a service answers: ``healthy.py URL [COMPONENT]``; exit code 0 or 1.

With the name of a component, what answers is Airflow's API server, and says whether it is healthy.
Standard library only.
"""

import json
import sys
import urllib.request


def main(url: str, component: str | None = None) -> int:
    try:
        with urllib.request.urlopen(url, timeout=8) as answer:  # noqa: S310 - it is in docker-compose.yaml
            said = json.load(answer)
    except (OSError, ValueError) as error:
        print(f"{url}: {error}")
        return 1
    status = (said.get(component) or {}).get("status") if component else "healthy"
    print(f"{component or url}: {status}")
    return 0 if status == "healthy" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
