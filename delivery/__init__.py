"""How one transfer runs, of any kind: runner, retry policy, leases, tokens, upsert, access blocks, admission."""
