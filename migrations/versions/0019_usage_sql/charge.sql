-- `ledger_charge` with the subject of each movement, m_subject, who or what the credits were used by; null without one. What is left
-- goes on to `ledger_spend_by_subject`. `ledger_charge` says how the rest is done and why.
CREATE FUNCTION ledger_charge_by_subject(
    p_at timestamptz,
    p_workspaces uuid[],
    p_demands bigint[],
    p_firsts integer[],
    p_lasts integer[],
    m_running bigint[],
    m_amount bigint[],
    m_description text[],
    m_resource text[],
    m_subject uuid[],
    m_seal bytea[],
    m_scope text[],
    m_key text[],
    m_hash bytea[]
) RETURNS TABLE (number integer, available bigint, held bigint, sequence bigint, version bigint) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    locked record;
    rest record;
    posted bigint;
BEGIN
    SELECT array_agg(b.number) AS numbers, array_agg(b.tid) AS tids, array_agg(b.available) AS available,
        array_agg(b.held) AS held, array_agg(b.sequence) AS sequences
    INTO locked
    FROM (
        SELECT l.*, l.ctid AS tid, width_bucket(l.workspace_id, p_workspaces) AS number
        FROM ledger_balances l
        WHERE l.workspace_id = ANY (p_workspaces)
        ORDER BY l.workspace_id FOR NO KEY UPDATE
    ) b
    WHERE b.recharge_below IS NULL OR b.available - p_demands[b.number] > b.recharge_below;

    RETURN QUERY
    WITH accepted AS MATERIALIZED (
        SELECT a.*, g.tid AS grant_tid, g.id AS grant_id
        FROM (
            SELECT l.*, p_workspaces[l.number] AS workspace_id, p_demands[l.number] AS demand,
                p_firsts[l.number] AS first, p_lasts[l.number] AS last
            FROM unnest(locked.numbers, locked.tids, locked.available, locked.held, locked.sequences)
                AS l (number, tid, available, held, sequence)
        ) a
        CROSS JOIN LATERAL (
            SELECT g.ctid AS tid, g.id, g.remaining, g.expires_at
            FROM ledger_grants g
            WHERE g.workspace_id = a.workspace_id AND g.is_open
            ORDER BY g.expires_at, g.granted_at, g.id
            LIMIT 1
        ) g
        WHERE g.remaining >= a.demand
            AND (g.expires_at IS NULL OR g.expires_at > p_at)
            AND NOT EXISTS (
                SELECT FROM ledger_holds h
                WHERE h.workspace_id = a.workspace_id AND h.closed_sequence IS NULL AND h.expires_at <= p_at OFFSET 0
            )
            -- one look for all keys of the batch, instead of one a workspace
            AND a.number <> ALL (ARRAY(
                SELECT k.number
                FROM (
                    SELECT l.number, generate_series(p_firsts[l.number], p_lasts[l.number]) AS n
                    FROM unnest(locked.numbers) AS l (number) OFFSET 0
                ) k
                CROSS JOIN LATERAL (
                    SELECT FROM ledger_transactions t
                    WHERE t.workspace_id = p_workspaces[k.number] AND t.idempotency_key = m_key[n] AND t.scope = m_scope[n] OFFSET 0
                ) seen
            ))
    ), moved AS MATERIALIZED (
        SELECT a.workspace_id, a.sequence + (n - a.first + 1) AS sequence, a.available - m_running[n] AS balance, a.held,
            a.grant_id, m_amount[n] AS amount, n
        FROM (SELECT accepted.*, generate_series(first, last) AS n FROM accepted OFFSET 0) a
    ), transactions AS (
        INSERT INTO ledger_transactions (workspace_id, sequence, kind, amount, balance_after, held_delta, held_after,
            description, resource, subject_id, at, seal, scope, idempotency_key, input_hash)
        SELECT m.workspace_id, m.sequence, 'USAGE', -m.amount, m.balance, 0, m.held,
            m_description[n], m_resource[n], m_subject[n], p_at, m_seal[n], m_scope[n], m_key[n], m_hash[n]
        FROM moved m
    ), entries AS (
        -- both of a transaction one after the other: they go to the same page of the index
        INSERT INTO ledger_entries (workspace_id, sequence, line, account, grant_id, amount)
        SELECT m.workspace_id, m.sequence, m.line, CASE m.line WHEN 0 THEN 'USAGE' ELSE 'AVAILABLE' END,
            CASE m.line WHEN 1 THEN m.grant_id END, CASE m.line WHEN 0 THEN m.amount ELSE -m.amount END
        FROM (SELECT moved.*, generate_series(0, 1) AS line FROM moved OFFSET 0) m
    ), used AS (
        UPDATE ledger_grants g SET remaining = g.remaining - a.demand
        FROM accepted a
        WHERE g.ctid = a.grant_tid AND g.workspace_id = a.workspace_id AND g.id = a.grant_id
    )
    UPDATE ledger_balances b
    SET available = b.available - a.demand,
        sequence = b.sequence + (a.last - a.first + 1),
        version = b.version + (a.last - a.first + 1),
        updated_at = p_at
    FROM accepted a
    WHERE b.ctid = a.tid AND b.workspace_id = a.workspace_id
    RETURNING a.number, b.available, b.held, b.sequence, b.version;
    GET DIAGNOSTICS posted = ROW_COUNT;

    IF posted < cardinality(locked.numbers) THEN
        -- Under the lock, a sequence that has not moved is that of a workspace left untouched.
        SELECT array_agg(p_workspaces[l.number] ORDER BY l.number) AS workspaces,
            array_agg(p_demands[l.number] ORDER BY l.number) AS demands,
            array_agg(p_firsts[l.number] ORDER BY l.number) AS firsts,
            array_agg(p_lasts[l.number] ORDER BY l.number) AS lasts
        INTO rest
        FROM unnest(locked.numbers, locked.sequences) AS l (number, sequence)
        WHERE EXISTS (
            SELECT FROM ledger_balances b WHERE b.workspace_id = p_workspaces[l.number] AND b.sequence = l.sequence OFFSET 0
        );
        RETURN QUERY
        SELECT width_bucket(b.workspace_id, p_workspaces), b.available, b.held, b.sequence, b.version
        FROM ledger_spend_by_subject(p_at, rest.workspaces, rest.demands, rest.firsts, rest.lasts, m_running, m_amount, m_description,
            m_resource, m_subject, m_seal, m_scope, m_key, m_hash) b;
    END IF;
END $$;
