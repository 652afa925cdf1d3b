"""The pages that people see: the bank's authentication, Checkout, invoices, receipts."""
