-- Counts the events of a call, each whose id is new to its workspace, and answers what became of them.
--
-- The workspaces' states are locked in id order before anything is read, so that calls wait for each other, but never in a circle, and
-- everything of a workspace's usage is written under its lock. Whatever reads is a statement of its own after the locking one: it
-- sees what those had counted that were waited for.
--
-- e_group is the place, from 1, of an event's workspace, resource and period among g_*; e_subject of its subject among p_subjects,
-- NULL without one. g_allowance and g_price (steps of the credit unit) are for counters that are new. w_* are the workspaces, in order.
-- k_* are further ids, of which only is told whether they were counted before. p_levels are percents of a limit to warn at.
--
-- w_anchored is since when a workspace's periods are counted from its first subscription, as the caller knows it. Where one has moved
-- them meanwhile nothing is counted: counted is NULL, and the caller looks again.
--
-- The settings pin the plans: one for all calls, by the indexes, whatever is known of the tables.
--
-- counted and known are places, from 1, among e_* and k_*; owing are the workspaces for which something is to be paid.
CREATE FUNCTION usage_count(
    p_at timestamptz,
    e_group integer[],
    e_id text[],
    e_quantity numeric[],
    e_time timestamptz[],
    e_subject integer[],
    g_workspace uuid[],
    g_resource text[],
    g_start timestamptz[],
    g_end timestamptz[],
    g_allowance numeric[],
    g_price numeric[],
    g_is_gauge boolean[],
    w_id uuid[],
    w_terms text[],
    w_turns timestamptz[],
    w_anchored timestamptz[],
    p_subjects uuid[],
    p_levels smallint[],
    k_workspace uuid[],
    k_id text[],
    OUT counted bigint[],
    OUT known bigint[],
    OUT workspaces uuid[],
    OUT versions bigint[],
    OUT owing uuid[]
) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
    WITH locked AS (
        INSERT INTO usage_states AS u (workspace_id, version, terms_id, turns_at)
        SELECT w.id, 1, w.terms_id, w.turns_at FROM unnest(w_id, w_terms, w_turns) w (id, terms_id, turns_at) ORDER BY w.id
        ON CONFLICT (workspace_id) DO UPDATE SET version = u.version + 1,
            terms_id = coalesce(u.terms_id, excluded.terms_id), turns_at = coalesce(u.turns_at, excluded.turns_at)
        RETURNING workspace_id, version
    )
    SELECT coalesce(array_agg(l.workspace_id), ARRAY[]::uuid[]), coalesce(array_agg(l.version), ARRAY[]::bigint[])
    INTO workspaces, versions FROM locked l;

    -- a first subscription has moved the periods since they were looked up
    IF EXISTS (
        SELECT FROM unnest(w_id, w_anchored) w (id, anchored_at) JOIN workspaces s ON s.id = w.id
        WHERE s.usage_anchored_at IS DISTINCT FROM w.anchored_at
    ) THEN
        RETURN;
    END IF;

    known := ARRAY(
        SELECT k.n FROM unnest(k_workspace, k_id) WITH ORDINALITY k (workspace_id, event_id, n)
        JOIN usage_events u ON u.workspace_id = k.workspace_id AND u.event_id = k.event_id
    );

    WITH groups AS MATERIALIZED (
        SELECT * FROM unnest(g_workspace, g_resource, g_start, g_end, g_allowance, g_price, g_is_gauge)
            WITH ORDINALITY g (workspace_id, resource, period_start, period_end, allowance, price, is_gauge, number)
    ), fresh AS MATERIALIZED (
        SELECT g.workspace_id, g.resource, g.period_start, g.is_gauge, g.number, e.event_id, e.quantity, e.occurred_at,
            (e.occurred_at AT TIME ZONE 'UTC')::date AS day, p_subjects[e.subject] AS subject_id, e.n
        FROM unnest(e_group, e_id, e_quantity, e_time, e_subject)
            WITH ORDINALITY e (number, event_id, quantity, occurred_at, subject, n)
        JOIN groups g ON g.number = e.number
        WHERE NOT EXISTS (
            SELECT FROM usage_events u WHERE u.workspace_id = g.workspace_id AND u.event_id = e.event_id OFFSET 0
        )
    ), inserted AS (
        -- in the order of the index, page by page
        INSERT INTO usage_events (workspace_id, event_id, received_at)
        SELECT f.workspace_id, f.event_id, p_at FROM fresh f ORDER BY f.workspace_id, f.event_id COLLATE "C"
    ), sums AS MATERIALIZED (
        SELECT f.number, sum(f.quantity) AS quantity FROM fresh f WHERE NOT f.is_gauge GROUP BY f.number
    ), counters AS (
        INSERT INTO usage_counters AS c
            (workspace_id, period_start, resource, period_end, used, allowance, price, overage, unpaid, owed, charged)
        SELECT g.workspace_id, g.period_start, g.resource, g.period_end, s.quantity, g.allowance, g.price, past.units,
            CASE WHEN g.price IS NULL THEN past.units ELSE 0 END, 0, 0
        FROM sums s JOIN groups g ON g.number = s.number
        CROSS JOIN LATERAL (
            SELECT CASE WHEN g.allowance IS NULL THEN 0 ELSE greatest(0, s.quantity - g.allowance) END AS units
        ) past
        -- what was used before, under another allowance, is not past it
        ON CONFLICT (workspace_id, period_start, resource) DO UPDATE SET used = c.used + excluded.used,
            overage = c.overage + CASE WHEN c.allowance IS NULL THEN 0
                ELSE greatest(0, c.used + excluded.used - greatest(c.allowance, c.used)) END,
            unpaid = c.unpaid + CASE WHEN c.allowance IS NULL OR c.price IS NOT NULL THEN 0
                ELSE greatest(0, c.used + excluded.used - greatest(c.allowance, c.used)) END
        RETURNING c.workspace_id, c.period_start, c.resource, c.period_end, c.used, c.allowance, c.price
    ), running AS MATERIALIZED (
        SELECT s.number, s.quantity, c.* FROM counters c
        JOIN groups g ON g.workspace_id = c.workspace_id AND g.period_start = c.period_start AND g.resource = c.resource
        JOIN sums s ON s.number = g.number
    ), past AS (
        SELECT f.n, f.workspace_id, f.period_start, f.resource, f.subject_id, r.price,
            greatest(0, f.upto - r.room) - greatest(0, f.upto - f.quantity - r.room) AS units
        FROM (
            SELECT r.number, r.price, greatest(0, r.allowance - (r.used - r.quantity)) AS room
            FROM running r WHERE r.price IS NOT NULL AND r.used > r.allowance
        ) r
        JOIN (
            SELECT f.*, sum(f.quantity) OVER (PARTITION BY f.number ORDER BY f.n) AS upto FROM fresh f WHERE NOT f.is_gauge
        ) f ON f.number = r.number
    ), dues AS (
        INSERT INTO usage_dues (workspace_id, period_start, resource, subject_id, units, value, created_at)
        SELECT p.workspace_id, p.period_start, p.resource, p.subject_id, sum(p.units), sum(p.units) * p.price, p_at
        FROM past p WHERE p.units > 0
        GROUP BY p.workspace_id, p.period_start, p.resource, p.subject_id, p.price ORDER BY min(p.n)
        RETURNING workspace_id
    ), days AS (
        INSERT INTO usage_days AS d (workspace_id, period_start, resource, day, used)
        SELECT f.workspace_id, f.period_start, f.resource, f.day, sum(f.quantity)
        FROM fresh f WHERE NOT f.is_gauge GROUP BY 1, 2, 3, 4
        ON CONFLICT (workspace_id, period_start, resource, day) DO UPDATE SET used = d.used + excluded.used
    ), subjects AS (
        INSERT INTO subject_usage AS u (workspace_id, period_start, resource, subject_id, used, charged)
        SELECT f.workspace_id, f.period_start, f.resource, f.subject_id, sum(f.quantity), 0
        FROM fresh f WHERE NOT f.is_gauge AND f.subject_id IS NOT NULL GROUP BY 1, 2, 3, 4
        ON CONFLICT (workspace_id, period_start, resource, subject_id) DO UPDATE SET used = u.used + excluded.used
    ), levels AS (
        INSERT INTO usage_levels AS l (workspace_id, resource, subject_id, level, previous, occurred_at)
        SELECT DISTINCT ON (f.workspace_id, f.resource, f.subject_id) f.workspace_id, f.resource,
            coalesce(f.subject_id, '00000000-0000-0000-0000-000000000000'), f.quantity, 0, f.occurred_at
        FROM fresh f WHERE f.is_gauge
        ORDER BY f.workspace_id, f.resource, f.subject_id, f.occurred_at DESC, f.n DESC
        ON CONFLICT (workspace_id, resource, subject_id)
            DO UPDATE SET previous = l.level, level = excluded.level, occurred_at = excluded.occurred_at
            WHERE excluded.occurred_at >= l.occurred_at
        RETURNING l.workspace_id, l.resource, l.level - l.previous AS moved, l.occurred_at
    ), gauges AS (
        INSERT INTO usage_gauges AS g (workspace_id, resource, level)
        SELECT l.workspace_id, l.resource, sum(l.moved) FROM levels l GROUP BY l.workspace_id, l.resource
        ON CONFLICT (workspace_id, resource) DO UPDATE SET level = g.level + excluded.level
        RETURNING g.workspace_id, g.resource, g.level
    ), gauge_days AS (
        INSERT INTO usage_days AS d (workspace_id, period_start, resource, day, used)
        SELECT DISTINCT ON (f.workspace_id, f.resource) f.workspace_id, f.period_start, f.resource, f.day, g.level
        FROM gauges g JOIN levels l ON l.workspace_id = g.workspace_id AND l.resource = g.resource
        JOIN fresh f ON f.workspace_id = g.workspace_id AND f.resource = g.resource AND f.occurred_at = l.occurred_at
        ORDER BY f.workspace_id, f.resource, f.occurred_at DESC
        ON CONFLICT (workspace_id, period_start, resource, day) DO UPDATE SET used = excluded.used
    ), warnings AS (
        INSERT INTO usage_warnings (workspace_id, period_start, resource, level, created_at)
        SELECT b.workspace_id, b.period_start, b.resource, w.level, p_at
        FROM (
            SELECT r.workspace_id, r.period_start, r.resource, r.used, r.allowance FROM running r WHERE r.period_end > p_at
            UNION ALL
            SELECT g.workspace_id, g.period_start, g.resource, l.level, g.allowance
            FROM gauges l JOIN groups g ON g.workspace_id = l.workspace_id AND g.resource = l.resource
            WHERE g.period_start <= p_at AND g.period_end > p_at
        ) b
        CROSS JOIN unnest(p_levels) w (level)
        WHERE b.allowance > 0 AND b.used * 100 >= b.allowance * w.level
        ON CONFLICT DO NOTHING
    )
    SELECT ARRAY(SELECT f.n FROM fresh f), ARRAY(SELECT DISTINCT d.workspace_id FROM dues d) INTO counted, owing;
END $$;
