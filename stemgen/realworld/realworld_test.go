package realworld

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stemgen"
)

var update = flag.Bool("update", false, "write the lists in testdata anew")

// Each type either has a codec that compiles or is refused for a reason that stands in
// testdata/refused.txt. One run tells all that is refused: without it, the rest passes.
// Some types of each package are then carried to the other MessagePack library and back;
// testdata/differs.txt says which that one carries in another way.
func TestEachPublicTypeIsCarriedOrRefusedForAReason(t *testing.T) {
	begun := time.Now()
	packages := publicTypes(t)
	m := newModule(t)
	m.write(t, packages)
	refused := m.refusals(t, m.generate(t))
	writeList(t, "testdata/refused.txt", refused.list(packages))

	rest := refused.without(packages)
	m.write(t, rest)
	for _, d := range m.generate(t).Diagnostics {
		if !d.Warning {
			t.Errorf("only told by the second run: %s", d)
		}
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("%d types, %d refused, in %s; %d MB from the system",
		count(packages), count(packages)-count(rest), time.Since(begun).Round(time.Second/10), mem.Sys>>20)
	t.Run("round trip", func(t *testing.T) { m.roundTrip(t, sample(rest)) })
}

func (m *module) roundTrip(t *testing.T, packages []public) {
	m.write(t, packages)
	for _, f := range m.generate(t).Files {
		if err := f.Write(); err != nil {
			t.Fatal(err)
		}
	}
	m.writeChecks(t, packages)
	// Trimmed paths let the build cache serve, wherever the module lies.
	cmd := exec.CommandContext(t.Context(), "go", "run", "-trimpath", "./cmd/roundtrip")
	cmd.Dir = m.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%s", err, out)
	}
	var differs []string
	for line := range strings.Lines(string(out)) {
		if name, found := strings.CutPrefix(line, "differs: "); found {
			name, reason, _ := strings.Cut(strings.TrimSpace(name), ": ")
			differs = append(differs, name+": "+otherwise(reason)+"\n")
		}
	}
	writeList(t, "testdata/differs.txt", strings.Join(differs, ""))
}

// otherwise says in a few words in which way the other library differs.
func otherwise(reason string) string {
	for _, way := range [][2]string{
		{"the other library encodes", "it does not write them"},
		{"the other library decodes", "it does not read ours"},
		{"the other library reads", "it reads ours otherwise"},
		{"decode the other library's", "we do not read its"},
		{"read", "we read its otherwise"},
		{"encoded", "it writes them otherwise"},
	} {
		if strings.HasPrefix(reason, way[0]) {
			return way[1]
		}
	}
	return reason
}

// Refusals are why types are refused, and which.
type refusals map[string]map[string]bool // types, as path and name, by reason

// reasons are the ways in which messages of one code differ.
var reasons = []string{
	"an interface", "a channel", "a function", "an address", "a complex number", "a protobuf message", "a pointer to a pointer",
	"nothing of it would arrive", "both travel as", "its methods would speak for the whole struct", "does not export what it embeds", "its package does not export it",
	"its package is internal to another part of the tree", "a key is",
}

var hasNo = regexp.MustCompile(`has (\w+) and no (\w+)$`)

func reason(d stemgen.Diagnostic) string {
	for _, r := range reasons {
		if strings.Contains(d.Message, r) {
			return fmt.Sprintf("%s: %s", d.Code, r)
		}
	}
	if half := hasNo.FindString(d.Message); half != "" {
		return fmt.Sprintf("%s: %s", d.Code, half)
	}
	return fmt.Sprintf("%s %s", d.Code, d.Message)
}

// refusals sorts what a run has said of types.
func (m *module) refusals(t *testing.T, out stemgen.Output) refusals {
	t.Helper()
	found := make(refusals)
	for _, d := range out.Diagnostics {
		if d.Warning {
			continue
		}
		name := m.taskAt[fmt.Sprintf("%s:%d", d.File, d.Line)]
		if name == "" {
			t.Errorf("this is said of no task: %s", d)
			continue
		}
		why := reason(d)
		if found[why] == nil {
			found[why] = make(map[string]bool)
		}
		found[why][name] = true
	}
	return found
}

// without gives the types that nothing was said of.
func (r refusals) without(packages []public) []public {
	var rest []public
	for _, p := range packages {
		p.types = slices.DeleteFunc(slices.Clone(p.types), func(name string) bool {
			for _, types := range r {
				if types[p.path+"."+name] {
					return true
				}
			}
			return false
		})
		if len(p.types) > 0 {
			rest = append(rest, p)
		}
	}
	return rest
}

// list writes the refusals for people, the most frequent reason first.
func (r refusals) list(packages []public) string {
	var b strings.Builder
	all, carried := count(packages), count(r.without(packages))
	fmt.Fprintf(&b, "%d types: %d are carried, %d refused. One may stand under several reasons.\n", all, carried, all-carried)
	byNumber := func(a, b string) int { return cmp.Or(cmp.Compare(len(r[b]), len(r[a])), cmp.Compare(a, b)) }
	for _, why := range slices.SortedFunc(maps.Keys(r), byNumber) {
		fmt.Fprintf(&b, "\n%s: %d\n", why, len(r[why]))
		for _, p := range packages {
			var names []string
			for _, name := range p.types {
				if r[why][p.path+"."+name] {
					names = append(names, name)
				}
			}
			if names != nil {
				fmt.Fprintf(&b, "\t%s: %s\n", p.path, strings.Join(names, ", "))
			}
		}
	}
	return b.String()
}

// writeList holds a list against the one that is checked in, or makes it that.
func writeList(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(got, string(want)); diff != "" {
		t.Errorf("%s: got -, want + (go test -update writes what it got):\n%s", path, diff)
	}
}
