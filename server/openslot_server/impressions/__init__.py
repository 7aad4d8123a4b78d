"""From exposure events to money: intake, ledger and the ledger's verification."""
