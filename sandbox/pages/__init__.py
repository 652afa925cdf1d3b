"""The pages people see: the bank's authentication, invoices, receipts, Checkout."""
