package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnifiedDiff(t *testing.T) {
	text := func(lines string) []byte { return []byte(strings.ReplaceAll(lines, " ", "\n") + "\n") }
	tests := []struct {
		promise       string
		before, after []byte
		want          string
	}{
		{"a new file", nil, text("a b"), "--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n"},
		{"a file that goes", text("a"), nil, "--- a/f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n"},
		{
			"changes that lie near each other share a hunk",
			text("1 2 3 4 5 6 7 8 9 10 11"), text("1 2 3 X 5 6 7 8 Y 10 11"),
			"--- a/f\n+++ b/f\n@@ -1,11 +1,11 @@\n 1\n 2\n 3\n-4\n+X\n 5\n 6\n 7\n 8\n-9\n+Y\n 10\n 11\n",
		},
		{
			"changes that lie apart have hunks of their own",
			text("1 2 3 4 5 6 7 8 9 10 11 12"), text("X 1 2 3 4 5 6 7 8 9 10 11"),
			"--- a/f\n+++ b/f\n@@ -1,3 +1,4 @@\n+X\n 1\n 2\n 3\n@@ -9,4 +10,3 @@\n 9\n 10\n 11\n-12\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			if diff := cmp.Diff(unifiedDiff("f", tt.before, tt.after), tt.want); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
		})
	}
}
