"""What the DAG files are wired of: tasks, templated fields, the form, schedules, alerts."""
