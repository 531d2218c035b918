// Package textfile holds the tasks of the example: they look at text files and
// report what they found.
package textfile

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
)

//go:generate go tool stemgen

// InspectArgs names the file to look at.
type InspectArgs struct {
	Path string
	// Pace is how long to take for it at least, for those who want to watch.
	Pace time.Duration `msgpack:",omitempty"`
}

// Stats is what there is to say about a text file.
type Stats struct {
	Path   string `msgpack:"path"`
	Lines  int    `msgpack:"lines"`
	Words  int    `msgpack:"words"`
	SHA256 string `msgpack:"sha256"`
	// Longest is the longest line, in bytes.
	Longest int `msgpack:"longest"`
}

// inspect counts the lines and words of a file and takes its checksum.
//
//stem:task name=textfile.inspect timeout=10s backoff=fixed(100ms)
func inspect(ctx context.Context, args InspectArgs) (Stats, error) {
	pace := time.NewTimer(args.Pace)
	defer pace.Stop()
	select {
	case <-pace.C:
	case <-ctx.Done():
		return Stats{}, context.Cause(ctx)
	}
	data, err := read(args.Path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, errNotRegular) {
		return Stats{}, stem.Permanent(err) // no retry mends it
	}
	if err != nil {
		return Stats{}, err
	}
	sum := sha256.Sum256(data)
	stats := Stats{Path: args.Path, SHA256: hex.EncodeToString(sum[:])}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		stats.Lines++
		stats.Words += len(bytes.Fields(lines.Bytes()))
		stats.Longest = max(stats.Longest, len(lines.Bytes()))
	}
	return stats, lines.Err()
}

var errNotRegular = errors.New("not a regular file")

// read gives a file's content. It opens nothing that could block or never end.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	return os.ReadFile(path)
}

// Reporter writes reports. It is what its task depends on: whoever registers
// the task brings a Reporter along.
type Reporter struct {
	// Separator stands between groups of three digits.
	Separator string
}

// Summarize sums up what was found in many files.
//
//stem:task name=textfile.summarize
func (r *Reporter) Summarize(ctx context.Context, files []Stats) (string, error) {
	var sum Stats
	for _, f := range files {
		sum.Lines += f.Lines
		sum.Words += f.Words
		sum.Longest = max(sum.Longest, f.Longest)
	}
	return fmt.Sprintf("%s lines and %s words in %s files; the longest line has %s bytes",
		r.number(sum.Lines), r.number(sum.Words), r.number(len(files)), r.number(sum.Longest)), nil
}

func (r *Reporter) number(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + r.Separator + digits[i:]
	}
	return digits
}

// banner frames a title: a task of several parameters.
//
//stem:task name=textfile.banner
func banner(ctx context.Context, title string, width int) (string, error) {
	if width < len(title)+2 {
		return "", stem.Permanent(fmt.Errorf("a banner of width %d has no room for %q", width, title))
	}
	left := (width - len(title) - 2) / 2
	right := width - len(title) - 2 - left
	return strings.Repeat("=", left) + " " + title + " " + strings.Repeat("=", right), nil
}

// flaky fails until it is tried for the given time, so that retries can be seen.
//
//stem:task name=textfile.flaky retries=5 backoff=fixed(50ms)
func flaky(ctx context.Context, succeedsAt int) (int, error) {
	info, _ := stem.Info(ctx)
	if info.Attempt < succeedsAt {
		return 0, fmt.Errorf("attempt %d is not good enough", info.Attempt)
	}
	return info.Attempt, nil
}
