-- The keys of a script that works on one queue (see keys.go).
local STREAM = KEYS -- KEYS[p + 1] is the stream of priority p
local WAKE, STATE, BACK, LIFE, LAPSES = KEYS[11], KEYS[12], KEYS[13], KEYS[14], KEYS[15]
local DELAYED, HELD, REST, ASIDE, SCHEMAS = KEYS[16], KEYS[17], KEYS[18], KEYS[19], KEYS[20]
local DEAD, BURIALS, REVOKED = KEYS[21], KEYS[22], KEYS[23]
