// Package nearest guesses what a person meant to type.
package nearest

import "strings"

// longest is how long a word may be that is a slip and no nonsense, in bytes. It bounds the work.
const longest = 64

// To gives the candidate that a person who typed word most likely meant, or
// "" where none is close.
func To(word string, candidates []string) string {
	if len(word) > longest {
		return ""
	}
	word = fold(word)
	best, bestDistance := "", 3
	for _, c := range candidates {
		if len(c) > longest {
			continue
		}
		d := distance(word, fold(c))
		if d >= max(len(c), len(word))/2+1 {
			continue // so far off that nothing of the word is left
		}
		if d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best != "" {
		return best
	}
	for _, c := range candidates {
		if folded := fold(c); len(c) >= 4 && len(word) >= 4 && (strings.Contains(word, folded) || strings.Contains(folded, word)) {
			return c
		}
	}
	return ""
}

// fold makes words equal that differ in what people mix up first.
func fold(word string) string { return strings.ReplaceAll(strings.ToLower(word), "_", "-") }

// distance counts the edits from a to b: letters put in, left out, replaced, or
// swapped with their neighbour.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
