package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatWasFoundIsKeptForComparison(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "results")
	all := []outcome{{"enqueue ×1", ours, []figures{{Tasks: 100, Rate: 2000, Allocs: 13}, {Tasks: 90, Rate: 1800, Allocs: 13}}}}
	if err := keep(folder, []string{"machine: a small one"}, all, nil); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"bench.md":   "- machine: a small one\n",
		"bench.json": `"rate": 2000`,
		"bench.txt":  "BenchmarkEnqueue_x1/stem\t100\t2000 tasks/s\t13 allocs/op\nBenchmarkEnqueue_x1/stem\t90\t1800 tasks/s\t13 allocs/op\n",
	} {
		if got, err := os.ReadFile(filepath.Join(folder, file)); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: got %q, %v, want %q in it", file, got, err, want)
		}
	}
}

func TestTheSettingNamesWhatFiguresDependOn(t *testing.T) {
	got := strings.Join(setting(config{rounds: 3, folder: "/var/tmp"}), "\n")
	for _, want := range []string{"machine: ", "3 rounds", "/var/tmp", "go1.", "redis/go-redis/v9 v9", "riverqueue/river v0.51", "Redis "} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwithout %q", got, want)
		}
	}
}
