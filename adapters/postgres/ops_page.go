package postgres

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

const (
	// mostLooked is how many rows are looked at for a page, wanted or not.
	mostLooked = 1000
	// pageBytes is how long the envelopes of a page are together. One is answered however long it is.
	pageBytes = 4 << 20
)

// position is where a row stands in the order of its list, as far as that order asks for it: the session that holds it, its priority, when it
// is or was due or set aside, its number, and the schema of its args and its name.
type position struct {
	holder, priority int32
	at               time.Time
	seq              int64
	print            *int64
	task             string
}

// cursor says a position in a list of a kind.
func (p *position) cursor(kind string) string {
	print := ""
	if p.print != nil {
		print = strconv.FormatInt(*p.print, 10)
	}
	task := p.task
	if len(task) > longestName {
		// No client publishes such a name. What it shares these letters with is passed over.
		task = strings.ToValidUTF8(task[:longestName], "") + "\U0010ffff"
	}
	return fmt.Sprintf("%s.%d.%d.%d.%d.%s.%s", kind, p.holder, p.priority, p.at.UnixMicro(), p.seq, print, base64.RawURLEncoding.EncodeToString([]byte(task)))
}

// longestName is the longest name of a task.
const longestName = 200

// parseCursor gives the position that a cursor of a list says, nil for "", the beginning.
func parseCursor(kind, cursor string) (*position, error) {
	if cursor == "" {
		return nil, nil
	}
	refused := &stem.OptionError{Option: "cursor", Value: strconv.QuoteToASCII(cursor[:min(len(cursor), ops.MaxCursor)]), Want: "the one that the page before gave"}
	parts := strings.Split(cursor, ".")
	if len(parts) != 7 || parts[0] != kind {
		return nil, refused
	}
	var numbers [5]int64
	for i, bits := range [...]int{32, 32, 64, 64, 64} {
		if i == 4 && parts[5] == "" {
			continue
		}
		n, err := strconv.ParseInt(parts[i+1], 10, bits)
		if err != nil {
			return nil, refused
		}
		numbers[i] = n
	}
	task, err := base64.RawURLEncoding.DecodeString(parts[6])
	if err != nil || strings.ToValidUTF8(strings.ReplaceAll(string(task), "\x00", "\xff"), "") != string(task) {
		return nil, refused
	}
	p := &position{holder: int32(numbers[0]), priority: int32(numbers[1]), at: time.UnixMicro(numbers[2]).UTC(), seq: numbers[3], task: string(task)}
	if p.at.Year() < 1 || p.at.Year() > 9999 {
		return nil, refused // the server's instants go no further than some of these
	}
	if parts[5] != "" {
		p.print = &numbers[4]
	}
	return p, nil
}

// pager reads the rows of a page as list_1 and letters_1 answer them.
type pager struct {
	last, next *position
	looked     int
	full       bool
}

// add takes one row, and reports whether it is of the page.
func (p *pager) add(what, n int, here position) bool {
	if p.full {
		return false
	}
	p.looked = n
	if n == mostLooked {
		p.next = &here
	}
	switch what {
	case 1:
		p.last = &here
		return true
	case 0:
		p.next = p.last
	}
	p.full = true
	return false
}

// cursor gives what the next page comes after.
func (p *pager) cursor(kind string) string {
	if p.next == nil {
		return ""
	}
	return p.next.cursor(kind)
}
