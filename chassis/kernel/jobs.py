"""How a job is shown, and told to whoever asked for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bihuan.operations.v1.job_service_pb2 import Job, JobState
from bihuan.staff.v1.facts_pb2 import JobChanged

from chassis.kernel.staff_subject import staff_suffix
from chassis.moments import stamp
from chassis.outbox import Tx
from chassis.pool import Row

STATE_HEAD = "JOB_STATE_"


def as_job(service: str, row: Row) -> Job:
    """Rate and estimate are of the steps that were committed."""
    worked = (row["stepped_at"] - row["started_at"]).total_seconds() if row["stepped_at"] else 0.0
    rate = row["done"] / worked if worked > 0 else 0.0
    estimated_end = None
    if row["state"] == "RUNNING" and row["total"] is not None and rate:
        estimated_end = row["stepped_at"] + timedelta(seconds=max(row["total"] - row["done"], 0) / rate)
    whole = row["state"] == "SUCCEEDED"
    return Job(
        service=service,
        job_id=row["job_id"],
        kind=row["kind"],
        title=row["title"],
        state=JobState.Value(STATE_HEAD + row["state"]),
        done=row["done"],
        total=row["total"],
        rate=round(rate, 3),
        estimated_end=stamp(estimated_end),
        created_at=stamp(row["created_at"]),
        started_at=stamp(row["started_at"]),
        ended_at=stamp(row["ended_at"]),
        created_by=row["created_by"],
        result_file_id=row["result_file_id"] or "" if whole else "",
        error_file_id=row["error_file_id"] or "" if whole else "",
        failure=row["failure"],
        failure_detail=row["failure_detail"],
    )


def state_of(value: JobState.ValueType) -> str | None:
    """As the table has it; None for UNSPECIFIED."""
    return JobState.Name(value).removeprefix(STATE_HEAD) if value else None


def publish_job_changed(tx: Tx, service: str, row: Row) -> None:
    """Under its recipient's own subject, as alerts are."""
    corp_id, userid = row["corp_id"], row["created_by"]
    changed = JobChanged(corp_id=corp_id, userid=userid, job=as_job(service, row), at=stamp(datetime.now(UTC)))
    tx.publish(changed, corp_id=corp_id, subject_suffix=staff_suffix(corp_id, userid))
