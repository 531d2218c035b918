package stem

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// AttemptRecord is what is remembered of an attempt that failed.
type AttemptRecord struct {
	Attempt int
	// At is when it ended, by the wall clock of its worker, to the millisecond.
	At time.Time
	// Worker is the name of the worker that ran it.
	Worker string
	Kind   FailureKind
	// Message is the first 200 bytes of the failure's.
	Message string
	// StackDigest is the same for panics from the same lines of code, and empty
	// for other failures. The last panic's stack is in the Failure.
	StackDigest string
}

// MaxHistory is how many attempts are remembered, the newest. Where they would
// take more than 7 KiB together, there are fewer.
const MaxHistory = 20

// History gives the attempts that failed before this delivery, the oldest first. Runs
// that a crash or a lost lease cut short are not among them: nobody was there to
// write them down.
func (d *Delivery) History() []AttemptRecord { return historyIn(d.Marks) }

// History gives the attempts that failed, the oldest first.
func (l *DeadLetter) History() []AttemptRecord { return historyIn(l.Marks) }

// The history lies in one mark, a line per attempt, so that a settlement carries it
// to the next delivery, wherever that is, with no round trip of its own:
//
//	attempt, milliseconds since 1970, worker, kind, digest, message
//
// parted by tabs. In the message, which is last, a backslash and a line's end are escaped.
const (
	historyMark    = "stem.history"
	longestHistory = 7 << 10 // the rest of MaxMarks is for the marks of others
	longestInLine  = 200     // of a message
)

var (
	toLine   = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	fromLine = strings.NewReplacer(`\\`, `\`, `\n`, "\n")
)

// historyIn reads the history among marks. What is none is passed over: a store
// that has lost or mangled it must not cost the task its run.
func historyIn(marks map[string]string) []AttemptRecord {
	lines := marks[historyMark]
	if lines == "" || len(lines) > MaxMarks || !utf8.ValidString(lines) || strings.Contains(lines, "\x00") {
		return nil
	}
	var history []AttemptRecord
	for line := range strings.Lines(lines) {
		if r, ok := parseAttempt(strings.TrimSuffix(line, "\n")); ok {
			history = append(history, r)
		}
	}
	return history[max(0, len(history)-MaxHistory):]
}

func parseAttempt(line string) (r AttemptRecord, ok bool) {
	fields := strings.SplitN(line, "\t", 6)
	if len(fields) != 6 {
		return AttemptRecord{}, false
	}
	attempt, err := strconv.Atoi(fields[0])
	if err != nil || attempt < 1 {
		return AttemptRecord{}, false
	}
	at, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return AttemptRecord{}, false
	}
	message := fields[5]
	if strings.Contains(message, `\`) { // the replacer makes copies also of what has none
		message = fromLine.Replace(message)
	}
	return AttemptRecord{
		Attempt: attempt, At: time.UnixMilli(at).UTC(), Worker: fields[2], Kind: FailureKind(fields[3]),
		StackDigest: fields[4], Message: message,
	}, true
}

func (r *AttemptRecord) line() string {
	return fmt.Sprintf("%d\t%d\t%s\t%s\t%s\t%s\n", r.Attempt, r.At.UnixMilli(), r.Worker, r.Kind, r.StackDigest, toLine.Replace(r.Message))
}

// remember gives the marks that stand with one attempt more in their history. The marks
// of others stay as they are; where these leave less room, the history is shorter.
func remember(standing map[string]string, r AttemptRecord) map[string]string {
	marks := maps.Clone(standing)
	delete(marks, historyMark)
	delete(marks, turnMark) // the next attempt takes a turn of its own
	room := MaxMarks - len(historyMark)
	for key, value := range marks {
		room -= len(key) + len(value)
	}
	room = min(room, longestHistory)
	var lines []string // the newest first
	for _, r := range slices.Backward(append(historyIn(standing), r)) {
		line := r.line()
		if room -= len(line); room < 0 || len(lines) == MaxHistory {
			break
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return marks
	}
	if marks == nil {
		marks = make(map[string]string, 1)
	}
	slices.Reverse(lines)
	marks[historyMark] = strings.Join(lines, "")
	return marks
}

// remember adds the run that has just failed to what the loan leaves behind.
func (l *loan) remember(f *Failure) {
	l.left = remember(l.Marks, AttemptRecord{
		Attempt: l.Attempt, At: time.Now(), Worker: l.worker.cfg.Name, Kind: f.Kind,
		Message: text(f.Message, longestInLine), StackDigest: stackDigest(f.Stack),
	})
}
