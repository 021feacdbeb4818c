"""Why something failed, in one line out of many."""


def last_word(output: str) -> str | None:
    """Return a job's own last word, else the last line that looks like an error, else None."""
    lines = output.splitlines()
    told = [line for line in lines if line.startswith("orchard: ")]
    told = told or [line for line in lines if "Error" in line or "Exception" in line]
    return told[-1].removeprefix("orchard: ").strip() if told else None
