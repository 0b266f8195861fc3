-- A worker takes an event that is released.
--
-- ARGV[4] company   [5] id   [6] lease, ms   [7] name of the process, `<worker>/<process>`   [8] a nonce of this claim
-- returns { what `claim` returns, woken }

follow_clock()
return { claim(ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]), woken }
