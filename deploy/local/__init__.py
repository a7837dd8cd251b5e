"""The whole suite on one machine: embedded PostgreSQL and NATS, every process, the sandbox."""
