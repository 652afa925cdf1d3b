"""Credit notes: less to pay of an open invoice, or money back for a paid one."""
