"""The real server ended by SIGKILL at every named point, started again, and what is then true of the money."""
