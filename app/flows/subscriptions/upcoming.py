"""temp"""

from __future__ import annotations

from uuid import UUID

from app.flows.flow_context import FlowContext


async def refresh_upcoming(context: FlowContext, workspace_id: UUID) -> None:
    """temp"""
