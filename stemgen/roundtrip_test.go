package stemgen_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stemgen"
)

var (
	codecVar    = regexp.MustCompile(`(?m)^var (stemCodec\w+) = \w+\.Codec\[`)
	packageName = regexp.MustCompile(`(?m)^package (\w+)`)
	differs     = regexp.MustCompile(`(?m)^msgpack: `)
	loses       = regexp.MustCompile(`(?m)^loses: `)
)

// roundTrip runs a program that carries values of every codec of every case to the
// other library and back.
func roundTrip(t *testing.T, dir string, cases []goldenCase, outputs map[string]stemgen.Output) {
	if err := os.CopyFS(filepath.Join(dir, "roundtrip"), os.DirFS("testdata/roundtrip")); err != nil {
		t.Fatal(err)
	}
	var imports, calls strings.Builder
	for _, c := range cases {
		for i, pkg := range c.packages(outputs[c.name], dir) {
			file := filepath.Join(dir, pkg, stemgen.GeneratedName)
			code, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := string(packageName.FindSubmatch(code)[1])
			codecs := codecVar.FindAllSubmatch(code, -1)
			if name == "main" || len(codecs) == 0 {
				continue
			}
			hasSchema := func(codec string) bool {
				return bytes.Contains(code, []byte("\t"+strings.Replace(codec, "Codec", "Schema", 1)+" "))
			}
			known := fmt.Sprintf("checkroundtrip.Differences{Bytes: %t, Whole: %t}", differs.Match(c.archive.Comment), loses.Match(c.archive.Comment))
			var checks strings.Builder
			for _, m := range codecs {
				name, schema := string(m[1]), `""` // what bears //stem:codec has none
				if hasSchema(name) {
					schema = strings.Replace(name, "Codec", "Schema", 1)
				}
				fmt.Fprintf(&checks, "\tcheckroundtrip.Check(%q, %s, %s, %s)\n", c.name+"."+name, name, schema, known)
			}
			writeFile(t, filepath.Join(dir, pkg, "roundtrip.go"), fmt.Appendf(nil,
				"package %s\n\nimport checkroundtrip \"example.com/golden/roundtrip\"\n\nfunc CheckRoundTrips() {\n%s}\n", name, checks.String()))
			fmt.Fprintf(&imports, "\t%s%d \"example.com/golden/%s\"\n", c.name, i, strings.TrimPrefix(pkg, "./"))
			fmt.Fprintf(&calls, "\t%s%d.CheckRoundTrips()\n", c.name, i)
		}
	}
	writeFile(t, filepath.Join(dir, "cmd", "roundtrip", "main.go"), fmt.Appendf(nil,
		"package main\n\nimport (\n\t\"flag\"\n\n\t\"example.com/golden/roundtrip\"\n%s)\n\nfunc main() {\n\tflag.Parse()\n%s\troundtrip.Exit()\n}\n", imports.String(), calls.String()))
	samples := filepath.Join(t.TempDir(), "samples")
	t.Log(goCommand(t, dir, "run", "./cmd/roundtrip", "-samples", samples))
	compareSamples(t, samples)
}

// samplesPath is where the fuzzers of the codec runtime find a message of each codec.
const samplesPath = "../stem/codec/testdata/samples.txt"

// compareSamples holds the samples that were written against those checked in, or
// makes them these.
func compareSamples(t *testing.T, path string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		writeFile(t, samplesPath, got)
		return
	}
	want, err := os.ReadFile(samplesPath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), string(want)); diff != "" {
		t.Errorf("%s: got -, want + (go test ./stemgen -update writes what it got):\n%s", samplesPath, diff)
	}
}
