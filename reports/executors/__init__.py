"""Where the Scenarios of a sweep run: in this process, in local processes, or on a Ray cluster.

An executor is a function of Tasks that yields an Outcome as each one ends. All of them call
`reports.executors.task.perform`, with the same number of threads, so the Records are the same.
"""

from reports.executors.task import Outcome, Task, perform

__all__ = ["Outcome", "Task", "perform"]
