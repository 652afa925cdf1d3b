"""PostgreSQL: connections, the unit of work and its outbox, the tables, and the embedded server for development."""
