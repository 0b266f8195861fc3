"""A stand-in for Fortnox: OAuth, ledgers that keep Fortnox's rules, and a gateway in front of them."""
