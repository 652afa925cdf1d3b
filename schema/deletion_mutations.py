"""Deleting one's account, or an organization, for good."""

from typing import Annotated

import strawberry

from app.accounts.people.reauthentication import CODE_DIGITS, CODE_LIFETIME, MOST_TRIES
from app.wording import count, duration
from resolvers import deletion_mutations
from resolvers.context import Info
from schema.payloads import AcknowledgedPayload
from schema.user_errors import answer


@strawberry.input(description="The User ID typed out again, and a proof of who is asking.")
class DeleteAccountInput:
    confirm_handle: str = strawberry.field(description="The User ID, exactly as it is shown.")
    password: str | None = strawberry.field(default=None, description="The password, of an account that has one.")
    code: str | None = strawberry.field(
        default=None, description="The code that sendReauthenticationCode mailed, for an account without a password."
    )


@strawberry.input(description="The organization, and its handle typed out again.")
class DeleteWorkspaceInput:
    workspace_id: strawberry.ID = strawberry.field(description="The organization, of which the caller is an owner.")
    confirm_handle: str = strawberry.field(description="Its handle, exactly as it is shown.")


@strawberry.type
class DeletionMutation:
    @strawberry.mutation(
        description=(
            f"Mails a code that stands in for the password of an account without one: {count(CODE_DIGITS, 'digit')}, good for "
            f"{duration(CODE_LIFETIME)} and {count(MOST_TRIES, 'try', 'tries')}. "
            "INVALID_INPUT for an account with a password. Rate-limited."
        )
    )
    async def send_reauthentication_code(self, info: Info) -> AcknowledgedPayload:
        work = deletion_mutations.send_reauthentication_code(info.context)
        return await answer(AcknowledgedPayload, AcknowledgedPayload.of, work)

    @strawberry.mutation(
        description=(
            "Deletes the caller's account for good, with the personal workspace and the organizations nobody else belongs to: "
            "names, profile, avatar, addresses, phone, sessions and keys are erased, credits are lost. Open payments are ended and "
            "the customer is deleted at the payment provider first: PAYMENT_UNAVAILABLE or PAYMENT_PENDING when that fails, and "
            "nothing is erased; or, where the provider fails at the last step, it goes on by itself, as the message says. "
            "INVALID_INPUT for another handle than the caller's. LAST_OWNER while the caller is the only owner of an organization "
            "with other members. REAUTHENTICATION_REQUIRED, WRONG_CREDENTIALS, CODE_WRONG and CODE_EXPIRED for a missing or wrong "
            "proof."
        )
    )
    async def delete_account(
        self, info: Info, input: Annotated[DeleteAccountInput, strawberry.argument(description="What proves it.")]
    ) -> AcknowledgedPayload:
        work = deletion_mutations.delete_account(info.context, input.confirm_handle, input.password, input.code)
        return await answer(AcknowledgedPayload, AcknowledgedPayload.of, work)

    @strawberry.mutation(
        description=(
            "Deletes an organization for good, whoever belongs to it; its credits are lost. For owners. INVALID_INPUT for another "
            "handle than its own, and for a personal workspace, which goes with its account. What is open is settled at the "
            "payment provider first: PAYMENT_UNAVAILABLE or PAYMENT_PENDING when that fails, and nothing is erased."
        )
    )
    async def delete_workspace(
        self, info: Info, input: Annotated[DeleteWorkspaceInput, strawberry.argument(description="Which one.")]
    ) -> AcknowledgedPayload:
        work = deletion_mutations.delete_workspace(info.context, input.workspace_id, input.confirm_handle)
        return await answer(AcknowledgedPayload, AcknowledgedPayload.of, work)
