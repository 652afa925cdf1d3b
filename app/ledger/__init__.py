"""The credit ledger: double entry, append only, exact. Amounts count the credit unit's smallest step."""
