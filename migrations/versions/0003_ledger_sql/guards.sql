-- What is written stays written, and every transaction balances.

CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

-- The one change a transaction may see: its idempotency key is forgotten.
CREATE FUNCTION ledger_only_forget_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    OLD.scope := NULL;
    OLD.idempotency_key := NULL;
    OLD.input_hash := NULL;
    IF NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'the ledger is append only: UPDATE on % is refused', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

-- A transaction's entries are inserted by one statement, so one look at its new rows is enough.
CREATE FUNCTION ledger_entries_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM inserted GROUP BY workspace_id, sequence HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'the entries of a ledger transaction must sum to zero' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_entries_balance AFTER INSERT ON ledger_entries
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION ledger_entries_balance();

CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_entries_keep BEFORE TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();

CREATE TRIGGER ledger_transactions_append_only BEFORE UPDATE ON ledger_transactions
    FOR EACH ROW EXECUTE FUNCTION ledger_only_forget_key();
CREATE TRIGGER ledger_transactions_undeletable BEFORE DELETE ON ledger_transactions
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_transactions_keep BEFORE TRUNCATE ON ledger_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();

CREATE TRIGGER ledger_grants_terms
    BEFORE UPDATE OF workspace_id, id, opened_sequence, source, amount, granted_at, expires_at, purchase_id ON ledger_grants
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_grants_undeletable BEFORE DELETE ON ledger_grants
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse();

CREATE TRIGGER ledger_holds_terms
    BEFORE UPDATE OF workspace_id, id, opened_sequence, amount, description, expires_at ON ledger_holds
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_holds_undeletable BEFORE DELETE ON ledger_holds
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
