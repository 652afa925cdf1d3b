"""Running a server: what is started before it and ended after it, whatever ends it. `running` puts the parts together."""
