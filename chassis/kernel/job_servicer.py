"""The RPCs over a service's jobs."""

from __future__ import annotations

from typing import Any

from bihuan.operations.v1 import job_service_pb2 as pb
from bihuan.operations.v1 import job_service_pb2_grpc as grpc_pb

from chassis import jobs, paging
from chassis.kernel.caller import Caller, caller
from chassis.kernel.jobs import as_job, publish_job_changed, state_of
from chassis.outbox import Outbox

register = grpc_pb.add_JobServiceServicer_to_server


class JobServicer(grpc_pb.JobServiceServicer):
    def __init__(self, service: str, outbox: Outbox) -> None:
        self._service, self._outbox = service, outbox

    async def ListJobs(self, request: pb.ListJobsRequest, context: Any) -> pb.ListJobsResponse:
        me, page = caller(), paging.page(request.page_size, request.page_token)
        before = paging.uuid(page.after, "pageToken") if page.after else None
        whose = _whose(me)
        only = jobs.Filter(me.name if request.mine else whose, request.kind or None, state_of(request.state))
        async with self._outbox.pool.acquire() as connection:
            rows = await jobs.page(connection, me.corp_id, only, before, page.size)
        return pb.ListJobsResponse(
            jobs=[as_job(self._service, row) for row in rows],
            next_page_token=page.next_token([row["job_id"] for row in rows]),
        )

    async def GetJob(self, request: pb.GetJobRequest, context: Any) -> pb.GetJobResponse:
        me, job_id = caller(), paging.uuid(request.job_id, "jobId")
        async with self._outbox.pool.acquire() as connection:
            row = await jobs.get(connection, me.corp_id, job_id, _whose(me))
        return pb.GetJobResponse(job=as_job(self._service, row))

    async def CancelJob(self, request: pb.CancelJobRequest, context: Any) -> pb.CancelJobResponse:
        me, job_id = caller(), paging.uuid(request.job_id, "jobId")
        async with self._outbox.transaction() as tx:
            row, changed = await jobs.cancel(tx.connection, me.corp_id, job_id, _whose(me))
            if changed:
                publish_job_changed(tx, self._service, row)
        return pb.CancelJobResponse(job=as_job(self._service, row))


def _whose(me: Caller) -> str | None:
    """Whose jobs the caller sees; None for everybody's."""
    return me.confined_to or (None if me.role == "ADMIN" else me.name)
