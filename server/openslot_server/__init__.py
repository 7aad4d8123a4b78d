"""The placement server: catalogue, demand, ledger, reports."""
