"""One table a file: text, a value to sort by, and the Records behind it."""

from reports.tables.audits import audit_table
from reports.tables.changes import change_table
from reports.tables.exposed import exposed_table
from reports.tables.memberships import membership_table
from reports.tables.panels import panel_table
from reports.tables.scoreboard import scoreboard
from reports.tables.table import Cell, Row, Table, markdown
from reports.tables.trainings import training_table

__all__ = [
    "Cell",
    "Row",
    "Table",
    "audit_table",
    "change_table",
    "exposed_table",
    "markdown",
    "membership_table",
    "panel_table",
    "scoreboard",
    "training_table",
]
