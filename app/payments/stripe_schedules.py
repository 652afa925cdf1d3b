"""Subscription schedules in Stripe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.payments.gateway_errors import GatewayMissing, GatewayRefused
from app.payments.stripe_calls import StripeCalls, keyed
from app.payments.stripe_subscription_values import phase_params, schedule_value
from app.payments.subscription_values import Schedule, SchedulePhase


class StripeSchedules(StripeCalls):
    """What is decided for later."""

    async def create_schedule(self, subscription_id: str, *, key: str) -> Schedule:
        params: Any = {"from_subscription": subscription_id}
        made = await self.step(
            "create_schedule", lambda: self.stripe.subscription_schedules.create_async(params, keyed(key))
        )
        return schedule_value(made)

    async def schedule(self, schedule_id: str) -> Schedule:
        found = await self.step(
            "retrieve_schedule", lambda: self.stripe.subscription_schedules.retrieve_async(schedule_id)
        )
        return schedule_value(found)

    async def set_phases(self, schedule_id: str, phases: Sequence[SchedulePhase], *, key: str) -> Schedule:
        params: Any = {
            "phases": [phase_params(phase) for phase in phases],
            "proration_behavior": "none",
            "end_behavior": "release",
        }
        changed = await self.step(
            "set_phases", lambda: self.stripe.subscription_schedules.update_async(schedule_id, params, keyed(key))
        )
        return schedule_value(changed)

    async def release_schedule(self, schedule_id: str, *, key: str) -> Schedule:
        try:
            released = await self.step(
                "release_schedule",
                lambda: self.stripe.subscription_schedules.release_async(schedule_id, {}, keyed(key)),
            )
        except GatewayMissing:
            raise
        except GatewayRefused:
            # another caller was faster, or its last phase is over
            found = await self.schedule(schedule_id)
            if found.is_active:
                raise
            return found
        return schedule_value(released)
