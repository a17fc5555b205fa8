// Package spelling finds the names that a mistyped one may have meant.
package spelling

import (
	"strings"
)

// Nearest gives, of known, the names that begin with word, or else those that
// are nearest to it and at most so many letters away.
func Nearest(word string, known []string, most int) (near []string) {
	least := most
	for _, name := range known {
		far := distance(word, name)
		if word != "" && strings.HasPrefix(name, word) {
			far = 0
		}
		if far < least {
			near, least = nil, far
		}
		if far == least {
			near = append(near, name)
		}
	}
	return near
}

// distance counts the letters to insert, remove or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
