"""The building blocks of the DAG files: tasks, template fields, the trigger form, schedules, alerts."""
