-- The exact way, first half: lock the balances in id order and read all that judging the movements needs.
--
-- p_opening are workspaces that get a balance if they have none. Only what was locked is read, because a balance that somebody else
-- made while this waited is not ours; without p_wait, what others have locked is passed over in the same way. Replays are the transactions that already carry one of the keys
-- (r_*, kept since p_keys_since; older ones are forgotten here), or that credited one of the purchases. Holds are those named, those of
-- replays and those that lapsed by p_at, with the credits they hold; grants are the open ones, the holds' and the purchases'.
CREATE FUNCTION ledger_state(
    p_at timestamptz,
    p_keys_since timestamptz,
    p_workspaces uuid[],
    p_opening uuid[],
    r_workspaces uuid[],
    r_scopes text[],
    r_keys text[],
    p_holds uuid[],
    p_purchases uuid[],
    p_wait boolean,
    OUT balances jsonb,
    OUT replays jsonb,
    OUT holds jsonb,
    OUT grants jsonb
) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    locked uuid[];
    hold_ids uuid[];
    grant_ids uuid[];
BEGIN
    INSERT INTO ledger_balances (workspace_id, available, held, sequence, version, updated_at)
    SELECT w, 0, 0, 0, 0, p_at FROM unnest(p_opening) AS w ORDER BY w
    ON CONFLICT (workspace_id) DO NOTHING;

    IF p_wait THEN
        SELECT array_agg(b.workspace_id), jsonb_agg(b) INTO locked, balances FROM (
            SELECT * FROM ledger_balances l WHERE l.workspace_id = ANY (p_workspaces)
            ORDER BY l.workspace_id FOR NO KEY UPDATE
        ) b;
    ELSE
        SELECT array_agg(b.workspace_id), jsonb_agg(b) INTO locked, balances FROM (
            SELECT * FROM ledger_balances l WHERE l.workspace_id = ANY (p_workspaces)
            ORDER BY l.workspace_id FOR NO KEY UPDATE SKIP LOCKED
        ) b;
    END IF;

    UPDATE ledger_transactions t SET scope = NULL, idempotency_key = NULL, input_hash = NULL
    FROM unnest(r_workspaces, r_scopes, r_keys) AS r (workspace_id, scope, key)
    WHERE t.workspace_id = r.workspace_id AND t.idempotency_key = r.key AND t.scope = r.scope
        AND t.workspace_id = ANY (locked) AND t.idempotency_key = ANY (r_keys) AND t.at < p_keys_since;

    SELECT jsonb_agg(t) INTO replays
    FROM (
        SELECT k.* FROM unnest(r_workspaces, r_scopes, r_keys) AS r (workspace_id, scope, key)
        CROSS JOIN LATERAL (
            SELECT * FROM ledger_transactions l
            WHERE l.workspace_id = r.workspace_id AND l.idempotency_key = r.key AND l.scope = r.scope OFFSET 0
        ) k
        WHERE r.workspace_id = ANY (locked)
        UNION
        SELECT * FROM ledger_transactions l
        WHERE l.workspace_id = ANY (locked) AND l.purchase_id = ANY (p_purchases)
            AND l.kind IN ('PURCHASE', 'AUTO_RECHARGE')
    ) t;

    SELECT array_agg(h.id) INTO hold_ids FROM (
        SELECT l.id FROM ledger_holds l WHERE l.workspace_id = ANY (locked) AND l.id = ANY (p_holds)
        UNION
        SELECT (r ->> 'hold_id')::uuid FROM jsonb_array_elements(replays) AS r WHERE r ->> 'hold_id' IS NOT NULL
        UNION
        SELECT l.id FROM ledger_holds l
        WHERE l.workspace_id = ANY (locked) AND l.closed_sequence IS NULL AND l.expires_at <= p_at
    ) h;

    SELECT jsonb_agg(to_jsonb(h) || jsonb_build_object('portions', p.portions)) INTO holds
    FROM ledger_holds h
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(e.grant_id, e.amount) ORDER BY e.line) AS portions FROM ledger_entries e
        WHERE e.workspace_id = h.workspace_id AND e.sequence = h.opened_sequence AND e.account = 'HELD' OFFSET 0
    ) p
    WHERE h.workspace_id = ANY (locked) AND h.id = ANY (hold_ids);

    SELECT array_agg((p ->> 0)::uuid) INTO grant_ids
    FROM jsonb_array_elements(holds) AS h CROSS JOIN LATERAL jsonb_array_elements(h -> 'portions') AS p;

    SELECT jsonb_agg(g) INTO grants FROM (
        SELECT * FROM ledger_grants l WHERE l.workspace_id = ANY (locked) AND l.is_open
        UNION
        SELECT * FROM ledger_grants l WHERE l.workspace_id = ANY (locked) AND l.id = ANY (grant_ids)
        UNION
        SELECT * FROM ledger_grants l WHERE l.workspace_id = ANY (locked) AND l.purchase_id = ANY (p_purchases)
    ) g;
END $$;
