package stem

import (
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"time"
)

// NewID gives an id as an enqueue does that is given none. It is a UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, then
// the fraction of the millisecond in the 12 bits of rand_a (section 6.2, method
// 3), so that ids made by one process within a millisecond still sort by time.
// The 62 random bits come from the runtime's ChaCha8 generator.
func NewID() string {
	now := time.Now()
	ms := now.UnixMilli()
	fraction := uint16(now.Nanosecond() % 1e6 * 4096 / 1e6)
	random := rand.Uint64()

	var id [16]byte
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = 0x70 | byte(fraction>>8)
	id[7] = byte(fraction)
	for i := range 8 {
		id[8+i] = byte(random >> (56 - 8*i))
	}
	id[8] = 0x80 | id[8]&0x3f

	var text [36]byte
	hex.Encode(text[0:8], id[0:4])
	text[8] = '-'
	hex.Encode(text[9:13], id[4:6])
	text[13] = '-'
	hex.Encode(text[14:18], id[6:8])
	text[18] = '-'
	hex.Encode(text[19:23], id[8:10])
	text[23] = '-'
	hex.Encode(text[24:36], id[10:16])
	return string(text[:])
}

// idTime gives when an id was made, by the clock of who made it, if it is a UUIDv7.
func idTime(id string) (made time.Time, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[14] != '7' {
		return time.Time{}, false
	}
	ms, err := strconv.ParseInt(id[:8]+id[9:13], 16, 64)
	return time.UnixMilli(ms), err == nil
}
