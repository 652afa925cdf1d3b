-- The exact way, second half: write what was judged, under the locks that `ledger_state` took. Servers of the version before name
-- neither the subject of a transaction nor what a hold is for: these stay null.
CREATE OR REPLACE FUNCTION ledger_write(p_at timestamptz, book jsonb) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    workspaces uuid[] := ARRAY(SELECT (b ->> 'workspace_id')::uuid FROM jsonb_array_elements(book -> 'balances') AS b);
BEGIN
    INSERT INTO ledger_transactions (workspace_id, sequence, kind, amount, balance_after, held_delta, held_after, description,
        resource, subject_id, purchase_id, hold_id, at, seal, scope, idempotency_key, input_hash)
    SELECT t.workspace_id, t.sequence, t.kind, t.amount, t.balance_after, t.held_delta, t.held_after, t.description,
        t.resource, t.subject_id, t.purchase_id, t.hold_id, p_at, decode(t.seal, 'hex'), t.scope, t.idempotency_key, decode(t.input_hash, 'hex')
    FROM jsonb_to_recordset(book -> 'transactions') AS t (
        workspace_id uuid, sequence bigint, kind text, amount bigint, balance_after bigint, held_delta bigint, held_after bigint,
        description text, resource text, subject_id uuid, purchase_id uuid, hold_id uuid, seal text, scope text, idempotency_key text,
        input_hash text);

    INSERT INTO ledger_entries (workspace_id, sequence, line, account, grant_id, amount)
    SELECT e.workspace_id, e.sequence, e.line, e.account, e.grant_id, e.amount
    FROM jsonb_to_recordset(book -> 'entries') AS e (
        workspace_id uuid, sequence bigint, line smallint, account text, grant_id uuid, amount bigint);

    INSERT INTO ledger_grants (workspace_id, id, opened_sequence, source, amount, remaining, granted_at, expires_at, purchase_id)
    SELECT g.workspace_id, g.id, g.opened_sequence, g.source, g.amount, g.remaining, p_at, g.expires_at, g.purchase_id
    FROM jsonb_to_recordset(book -> 'opened_grants') AS g (
        workspace_id uuid, id uuid, opened_sequence bigint, source text, amount bigint, remaining bigint,
        expires_at timestamptz, purchase_id uuid);

    UPDATE ledger_grants g SET remaining = n.remaining
    FROM jsonb_to_recordset(book -> 'touched_grants') AS n (workspace_id uuid, id uuid, remaining bigint)
    WHERE g.workspace_id = n.workspace_id AND g.id = n.id AND g.workspace_id = ANY (workspaces);

    INSERT INTO ledger_holds (workspace_id, id, amount, captured, description, resource, subject_id, expires_at, opened_sequence,
        closed_sequence)
    SELECT h.workspace_id, h.id, h.amount, h.captured, h.description, h.resource, h.subject_id, h.expires_at, h.opened_sequence,
        h.closed_sequence
    FROM jsonb_to_recordset(book -> 'opened_holds') AS h (
        workspace_id uuid, id uuid, amount bigint, captured bigint, description text, resource text, subject_id uuid,
        expires_at timestamptz, opened_sequence bigint, closed_sequence bigint);

    UPDATE ledger_holds h SET captured = n.captured, closed_sequence = n.closed_sequence
    FROM jsonb_to_recordset(book -> 'closed_holds') AS n (workspace_id uuid, id uuid, captured bigint, closed_sequence bigint)
    WHERE h.workspace_id = n.workspace_id AND h.id = n.id AND h.workspace_id = ANY (workspaces);

    UPDATE ledger_balances b
    SET available = n.available, held = n.held, sequence = n.sequence, version = n.version, updated_at = p_at
    FROM jsonb_to_recordset(book -> 'balances') AS n (
        workspace_id uuid, available bigint, held bigint, sequence bigint, version bigint)
    WHERE b.workspace_id = n.workspace_id AND b.workspace_id = ANY (workspaces);
END $$;
