// Package spelling finds the known names that a misspelled name may stand for.
package spelling

import (
	"strings"
)

// Nearest returns the names in known that begin with word. If there are none,
// it returns the names that are nearest to word, with a distance of at most
// most letters.
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

// distance returns the number of letters to insert, remove or replace to change
// a into b.
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
