"""Routes of credit notes."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import Route
from sandbox.resources.credit_notes import credit_notes
from sandbox.shared_handlers import PAGING_AND_CREATED, list_by, retrieve_by_id

ROUTES = (
    Route(
        "POST",
        "/v1/credit_notes",
        p.CreditNoteCreateParams,
        credit_notes.create,
        "amount credit_amount invoice memo metadata out_of_band_amount reason refund_amount",
    ),
    Route(
        "GET",
        "/v1/credit_notes",
        p.CreditNoteListParams,
        list_by("credit_note", "customer", "invoice"),
        f"{PAGING_AND_CREATED} customer invoice",
    ),
    Route("GET", "/v1/credit_notes/{id}", p.CreditNoteRetrieveParams, retrieve_by_id("credit_note")),
)
