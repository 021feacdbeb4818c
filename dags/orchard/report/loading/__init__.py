"""From a published run in the lake to the facts of its report. Reads only."""
