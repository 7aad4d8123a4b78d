"""Traffic from a seed through the real engine, budgets and ledger, in virtual time."""
