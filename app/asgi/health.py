"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

import structlog
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.db.engine import Database

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def health_routes(database: Database) -> list[BaseRoute]:
    """`/healthz`: the process answers. `/readyz`: it reaches its database too, else 503."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        try:
            async with database.read() as session:
                await session.execute(text("SELECT 1"))
        except Exception as error:
            _log.warning("not_ready", error=type(error).__name__)
            return JSONResponse({"status": "unavailable", "database": "can't be reached"}, status_code=503)
        return JSONResponse({"status": "ok"})

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
