"""Verifying the phone of a workspace."""

from typing import Annotated

import strawberry

from app.accounts.workspaces.phone_verification import MOST_TRIES, MOST_WORKSPACES, PER_WORKSPACE
from app.messages.sms_codes import CODE_DIGITS, CODE_LIFETIME
from app.wording import count, duration
from resolvers import phone_mutations
from resolvers.context import Info
from schema.payloads import AcknowledgedPayload
from schema.user_errors import answer
from schema.workspaces import WorkspacePayload


@strawberry.input(description="A number to be verified for a workspace.")
class SendPhoneVerificationInput:
    workspace_id: strawberry.ID = strawberry.field(description="The workspace, of which the caller is an owner.")
    phone_number: str = strawberry.field(description="In E.164 form, such as +31612345678, or national with a region.")
    region: str | None = strawberry.field(
        default=None, description="The country of a national number: two letters, such as NL."
    )


@strawberry.input(description="A number and the code that was texted to it.")
class VerifyPhoneInput:
    workspace_id: strawberry.ID = strawberry.field(description="The workspace the code was asked for.")
    phone_number: str = strawberry.field(description="The number it was texted to, in either form.")
    code: str = strawberry.field(description=f"The {CODE_DIGITS} digits.")
    region: str | None = strawberry.field(
        default=None, description="The country of a national number: two letters, such as NL."
    )


@strawberry.type
class PhoneMutation:
    @strawberry.mutation(
        description=(
            f"Texts a code of {CODE_DIGITS} digits to a number that is to be verified for a workspace: good for "
            f"{duration(CODE_LIFETIME)} and {count(MOST_TRIES, 'try', 'tries')}. At most {PER_WORKSPACE.most} an hour; "
            "rate-limited per number, per network address and per day. Owners only."
        )
    )
    async def send_phone_verification(
        self, info: Info, input: Annotated[SendPhoneVerificationInput, strawberry.argument(description="The number.")]
    ) -> AcknowledgedPayload:
        work = phone_mutations.send_phone_verification(
            info.context, input.workspace_id, input.phone_number, input.region
        )
        return await answer(AcknowledgedPayload, AcknowledgedPayload.of, work)

    @strawberry.mutation(
        description=(
            "Verifies a number for a workspace with the code that was texted; sent twice, it answers alike. INVALID_INPUT for what "
            f"is no code, CODE_WRONG up to {count(MOST_TRIES, 'time')}, then CODE_EXPIRED until a new code is sent; PHONE_IN_USE "
            f"when the number has verified {count(MOST_WORKSPACES, 'other workspace')}. Owners only."
        )
    )
    async def verify_phone(
        self, info: Info, input: Annotated[VerifyPhoneInput, strawberry.argument(description="Number and code.")]
    ) -> WorkspacePayload:
        work = phone_mutations.verify_phone(
            info.context, input.workspace_id, input.phone_number, input.region, input.code
        )
        return await answer(WorkspacePayload, WorkspacePayload.of, work)
