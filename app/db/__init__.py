"""PostgreSQL: connections, the unit of work and its outbox, the tables, and the server started where none is given."""
