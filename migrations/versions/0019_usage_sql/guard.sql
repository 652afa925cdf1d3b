-- What a hold is for stays as it was written, as the rest of its terms does.
CREATE TRIGGER ledger_holds_use BEFORE UPDATE OF resource, subject_id ON ledger_holds
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
