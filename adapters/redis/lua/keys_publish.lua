-- The keys of a script that publishes: the streams that it needs come after these.
local STATE, WAKE, DELAYED, REVOKED = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local STREAM = {}
