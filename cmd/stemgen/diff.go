package main

import (
	"fmt"
	"strings"
)

// diffContext is how many lines stand around a change.
const diffContext = 3

// A diffLine is a line of a diff: ' ' for one that stays, '-' or '+'.
type diffLine struct {
	sign byte
	text string
}

// unifiedDiff gives the difference of two texts in the form of diff -u; nil stands
// for a file that does not exist.
func unifiedDiff(name string, before, after []byte) string {
	from, to := "a/"+name, "b/"+name
	if before == nil {
		from = "/dev/null"
	}
	if after == nil {
		to = "/dev/null"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", from, to)
	lines := diffLines(splitLines(before), splitLines(after))
	for start := 0; start < len(lines); {
		first := nextChange(lines, start)
		if first == len(lines) {
			break
		}
		end := first
		for next := first; next < len(lines) && next <= end+2*diffContext; next = nextChange(lines, end) {
			end = next + 1
		}
		writeHunk(&b, lines, max(first-diffContext, start), min(end+diffContext, len(lines)))
		start = min(end+diffContext, len(lines))
	}
	return b.String()
}

func splitLines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func nextChange(lines []diffLine, from int) int {
	for from < len(lines) && lines[from].sign == ' ' {
		from++
	}
	return from
}

// writeHunk writes lines[from:to] under their line numbers.
func writeHunk(b *strings.Builder, lines []diffLine, from, to int) {
	count := func(lines []diffLine, but byte) (n int) {
		for _, l := range lines {
			if l.sign != but {
				n++
			}
		}
		return n
	}
	place := func(but byte) string {
		first, n := count(lines[:from], but)+1, count(lines[from:to], but)
		if n == 0 {
			first-- // the line before which nothing stands
		}
		return fmt.Sprintf("%d,%d", first, n)
	}
	fmt.Fprintf(b, "@@ -%s +%s @@\n", place('+'), place('-'))
	for _, l := range lines[from:to] {
		fmt.Fprintf(b, "%c%s\n", l.sign, l.text)
	}
}

// diffLines pairs the longest common subsequence of what lies between a common
// beginning and a common end.
func diffLines(before, after []string) []diffLine {
	var head, tail []diffLine
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		head = append(head, diffLine{' ', before[0]})
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
		tail = append([]diffLine{{' ', before[len(before)-1]}}, tail...)
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	return append(append(head, middle(before, after)...), tail...)
}

// middle compares each line with each. Of very long texts it shows all as changed.
func middle(before, after []string) []diffLine {
	var lines []diffLine
	const most = 4 << 20
	if len(before)*len(after) > most {
		return appendAll(appendAll(nil, '-', before), '+', after)
	}
	common := make([][]int, len(before)+1) // of the texts from line i and line j on
	for i := range common {
		common[i] = make([]int, len(after)+1)
	}
	for i := len(before) - 1; i >= 0; i-- {
		for j := len(after) - 1; j >= 0; j-- {
			if before[i] == after[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(before) && j < len(after) {
		switch {
		case before[i] == after[j]:
			lines = append(lines, diffLine{' ', before[i]})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			lines = append(lines, diffLine{'-', before[i]})
			i++
		default:
			lines = append(lines, diffLine{'+', after[j]})
			j++
		}
	}
	return appendAll(appendAll(lines, '-', before[i:]), '+', after[j:])
}

func appendAll(lines []diffLine, sign byte, texts []string) []diffLine {
	for _, text := range texts {
		lines = append(lines, diffLine{sign, text})
	}
	return lines
}
