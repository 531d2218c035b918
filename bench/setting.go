package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
)

// setting is what figures depend on beside the programs: a line for each.
func setting(cfg config) []string {
	folder := cfg.folder
	if folder == "" {
		folder = "memory, where the system has such a place"
	}
	lines := []string{
		fmt.Sprintf("machine: %d × %s, %s/%s, %.0f GiB", runtime.NumCPU(), field("/proc/cpuinfo", "model name", "a processor"), runtime.GOOS, runtime.GOARCH, memoryGiB()),
		"load when it began: " + strings.Join(firstWords("/proc/loadavg", 3), " "),
		fmt.Sprintf("each figure: about %v, %d rounds; medians are shown, and the least and the most of the rounds", cfg.during, cfg.rounds),
		"data of servers: " + folder,
		runtime.Version() + versions("github.com/redis/go-redis/v9", "github.com/jackc/pgx/v5", "github.com/hibiken/asynq", "github.com/riverqueue/river"),
	}
	if version, err := exec.Command("redis-server", "--version").Output(); err == nil {
		words := strings.Fields(string(version)) // Redis server v=7.0.15 sha=…
		if len(words) > 2 {
			lines = append(lines, "Redis "+strings.TrimPrefix(words[2], "v=")+" without persistence")
		}
	}
	return lines
}

// versions gives those of modules that this program was built with.
func versions(modules ...string) (text string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, path := range modules {
		for _, m := range info.Deps {
			if m.Path == path {
				text += ", " + strings.TrimPrefix(path, "github.com/") + " " + m.Version
			}
		}
	}
	return text
}

// field gives the first value that a file of the system has under a name.
func field(file, name, otherwise string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if before, after, found := strings.Cut(line, ":"); found && strings.TrimSpace(before) == name {
			return strings.TrimSpace(after)
		}
	}
	return otherwise
}

func firstWords(file string, n int) []string {
	text, _ := os.ReadFile(file)
	words := strings.Fields(string(text))
	return words[:min(n, len(words))]
}

func memoryGiB() (gib float64) {
	var kib float64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal", "0"), &kib); err != nil {
		return 0
	}
	return kib / (1 << 20)
}
