-- The exact way, first half: lock the balances in id order and read all that judging the movements needs.
--
-- p_opening are workspaces that get a balance if they have none. Only what was locked is read, because a balance that somebody else
-- made while this waited is not ours; without p_wait, what others have locked is passed over in the same way. Replays are the
-- transactions that already carry one of the keys (k_*, kept since p_keys_since; older ones are forgotten here), or that credited one
-- of the purchases (b_*). Holds are those named (h_*), those of replays and those that lapsed by p_at, with the credits they hold;
-- grants are the open ones, the holds' and the purchases'.
--
-- Each thing is looked up by its whole key in a subquery of its own, which leaves the planner no other way.
CREATE FUNCTION ledger_state(
    p_at timestamptz,
    p_keys_since timestamptz,
    p_wait boolean,
    p_workspaces uuid[],
    p_opening uuid[],
    k_workspaces uuid[],
    k_scopes text[],
    k_keys text[],
    h_workspaces uuid[],
    h_ids uuid[],
    b_workspaces uuid[],
    b_ids uuid[],
    OUT balances jsonb,
    OUT replays jsonb,
    OUT holds jsonb,
    OUT grants jsonb
) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    locked uuid[];
    old record;
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

    SELECT jsonb_agg(t) INTO replays FROM (
        SELECT t.* FROM unnest(k_workspaces, k_scopes, k_keys) AS k (workspace_id, scope, key) CROSS JOIN LATERAL (
            SELECT * FROM ledger_transactions l
            WHERE l.workspace_id = k.workspace_id AND l.idempotency_key = k.key AND l.scope = k.scope OFFSET 0
        ) t
        UNION
        SELECT t.* FROM unnest(b_workspaces, b_ids) AS b (workspace_id, id) CROSS JOIN LATERAL (
            SELECT * FROM ledger_transactions l
            WHERE l.workspace_id = b.workspace_id AND l.purchase_id = b.id AND l.kind IN ('PURCHASE', 'AUTO_RECHARGE') OFFSET 0
        ) t
    ) t WHERE t.workspace_id = ANY (locked);

    FOR old IN
        SELECT r.workspace_id, r.sequence FROM jsonb_to_recordset(replays)
            AS r (workspace_id uuid, sequence bigint, at timestamptz, idempotency_key text)
        WHERE r.at < p_keys_since AND r.idempotency_key IS NOT NULL
    LOOP
        UPDATE ledger_transactions t SET scope = NULL, idempotency_key = NULL, input_hash = NULL
        WHERE t.workspace_id = old.workspace_id AND t.sequence = old.sequence;
    END LOOP;

    SELECT jsonb_agg(to_jsonb(h) || jsonb_build_object('portions', p.portions)) INTO holds FROM (
        SELECT h.* FROM (
            SELECT workspace_id, id FROM unnest(h_workspaces, h_ids) AS n (workspace_id, id)
            UNION
            SELECT r.workspace_id, r.hold_id FROM jsonb_to_recordset(replays) AS r (workspace_id uuid, hold_id uuid)
        ) n CROSS JOIN LATERAL (
            SELECT * FROM ledger_holds l WHERE l.workspace_id = n.workspace_id AND l.id = n.id OFFSET 0
        ) h WHERE h.workspace_id = ANY (locked)
        UNION
        SELECT h.* FROM unnest(locked) AS w CROSS JOIN LATERAL (
            SELECT * FROM ledger_holds l WHERE l.workspace_id = w AND l.closed_sequence IS NULL AND l.expires_at <= p_at OFFSET 0
        ) h
    ) h CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(e.grant_id, e.amount) ORDER BY e.line) AS portions FROM ledger_entries e
        WHERE e.workspace_id = h.workspace_id AND e.sequence = h.opened_sequence AND e.account = 'HELD' OFFSET 0
    ) p;

    SELECT jsonb_agg(g) INTO grants FROM (
        SELECT g.* FROM unnest(locked) AS w CROSS JOIN LATERAL (
            SELECT * FROM ledger_grants l WHERE l.workspace_id = w AND l.is_open OFFSET 0
        ) g
        UNION
        SELECT g.* FROM jsonb_to_recordset(holds) AS h (workspace_id uuid, portions jsonb)
        CROSS JOIN LATERAL jsonb_array_elements(h.portions) AS p
        CROSS JOIN LATERAL (
            SELECT * FROM ledger_grants l WHERE l.workspace_id = h.workspace_id AND l.id = (p ->> 0)::uuid OFFSET 0
        ) g
        UNION
        SELECT g.* FROM unnest(b_workspaces, b_ids) AS b (workspace_id, id) CROSS JOIN LATERAL (
            SELECT * FROM ledger_grants l WHERE l.workspace_id = b.workspace_id AND l.purchase_id = b.id OFFSET 0
        ) g WHERE g.workspace_id = ANY (locked)
    ) g;
END $$;
