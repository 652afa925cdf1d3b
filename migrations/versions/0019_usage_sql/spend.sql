-- `ledger_spend` with the subject of each movement, m_subject, who or what the credits were used by; null without one. That function
-- says how the rest is done and why.
CREATE FUNCTION ledger_spend_by_subject(
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
) RETURNS SETOF ledger_balances LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    locked record;
BEGIN
    SELECT array_agg(a.workspace_id) AS workspaces, array_agg(a.demand) AS demands, array_agg(a.first) AS firsts,
        array_agg(a.last) AS lasts, array_agg(b.available) AS available, array_agg(b.held) AS held,
        array_agg(b.sequence) AS sequences
    INTO locked
    FROM unnest(p_workspaces, p_demands, p_firsts, p_lasts) AS a (workspace_id, demand, first, last)
    CROSS JOIN LATERAL (
        SELECT * FROM ledger_balances l WHERE l.workspace_id = a.workspace_id FOR NO KEY UPDATE
    ) b
    WHERE b.recharge_below IS NULL OR b.available - a.demand > b.recharge_below;

    RETURN QUERY
    WITH accepted AS MATERIALIZED (
        SELECT a.*, s.grants, s.uptos, s.remainings
        FROM unnest(locked.workspaces, locked.demands, locked.firsts, locked.lasts, locked.available, locked.held, locked.sequences)
            AS a (workspace_id, demand, first, last, available, held, sequence)
        CROSS JOIN LATERAL (
            SELECT array_agg(o.id) AS grants, array_agg(o.upto) AS uptos, array_agg(o.remaining) AS remainings,
                max(o.upto) AS total, min(o.expires_at) AS next_expiry
            FROM (
                SELECT g.id, g.remaining, g.expires_at,
                    (sum(g.remaining) OVER (ORDER BY g.expires_at, g.granted_at, g.id ROWS UNBOUNDED PRECEDING))::bigint AS upto
                FROM ledger_grants g
                WHERE g.workspace_id = a.workspace_id AND g.is_open
                ORDER BY g.expires_at, g.granted_at, g.id
                LIMIT 16
            ) o
        ) s
        WHERE s.total >= a.demand
            AND (s.next_expiry IS NULL OR s.next_expiry > p_at)
            AND NOT EXISTS (
                SELECT FROM ledger_holds h
                WHERE h.workspace_id = a.workspace_id AND h.closed_sequence IS NULL AND h.expires_at <= p_at OFFSET 0
            )
            AND NOT EXISTS (
                SELECT FROM generate_series(a.first, a.last) AS n
                CROSS JOIN LATERAL (
                    SELECT FROM ledger_transactions t
                    WHERE t.workspace_id = a.workspace_id AND t.idempotency_key = m_key[n] AND t.scope = m_scope[n] OFFSET 0
                ) seen
            )
    ), moved AS MATERIALIZED (
        SELECT a.workspace_id, a.sequence + (n - a.first + 1) AS sequence, a.available - m_running[n] AS balance, a.held,
            a.grants, a.uptos, a.remainings, m_running[n] AS running, m_amount[n] AS amount, n
        FROM accepted a CROSS JOIN LATERAL generate_series(a.first, a.last) AS n
    ), transactions AS (
        INSERT INTO ledger_transactions (workspace_id, sequence, kind, amount, balance_after, held_delta, held_after,
            description, resource, subject_id, at, seal, scope, idempotency_key, input_hash)
        SELECT m.workspace_id, m.sequence, 'USAGE', -m.amount, m.balance, 0, m.held,
            m_description[n], m_resource[n], m_subject[n], p_at, m_seal[n], m_scope[n], m_key[n], m_hash[n]
        FROM moved m
    ), entries AS (
        INSERT INTO ledger_entries (workspace_id, sequence, line, account, grant_id, amount)
        SELECT m.workspace_id, m.sequence, 0, 'USAGE', NULL, m.amount FROM moved m
        UNION ALL
        -- A movement covers part of the line of all credits in spending order; so does a grant: what they share is taken.
        SELECT m.workspace_id, m.sequence, s.line, 'AVAILABLE', s.id,
            greatest(m.running - m.amount, s.upto - s.remaining) - least(m.running, s.upto)
        FROM moved m
        CROSS JOIN LATERAL unnest(m.grants, m.uptos, m.remainings) WITH ORDINALITY AS s (id, upto, remaining, line)
        WHERE s.upto > m.running - m.amount AND s.upto - s.remaining < m.running
    ), used AS (
        UPDATE ledger_grants g SET remaining = s.upto - least(s.upto, a.demand)
        FROM accepted a CROSS JOIN LATERAL unnest(a.grants, a.uptos, a.remainings) AS s (id, upto, remaining)
        WHERE s.upto - s.remaining < a.demand
            AND g.workspace_id = a.workspace_id AND g.id = s.id
            -- bounds the look-up even for a planner that starts from this table
            AND g.workspace_id = ANY (locked.workspaces) AND g.is_open
    )
    UPDATE ledger_balances b
    SET available = b.available - a.demand,
        sequence = b.sequence + (a.last - a.first + 1),
        version = b.version + (a.last - a.first + 1),
        updated_at = p_at
    FROM accepted a
    WHERE b.workspace_id = a.workspace_id AND b.workspace_id = ANY (locked.workspaces)
    RETURNING b.*;
END $$;
