package ops

import (
	"fmt"

	"github.com/gostem/gostem/stem"
)

// validName checks the one alphabet of ids, task names and queues, before a store is asked for what it cannot have.
func validName(what, name string) error {
	if name == "" || len(name) > stem.MaxIDLength || !printable(name, '!') {
		return &stem.OptionError{Option: what, Value: quoted(name), Want: "1 to 200 printable ASCII bytes without spaces"}
	}
	return nil
}

// printable reports whether s is of bytes from least to '~'.
func printable(s string, least byte) bool {
	for i := range len(s) {
		if s[i] < least || s[i] > '~' {
			return false
		}
	}
	return true
}

// quoted gives a value as an error shows it: shortened, with what a terminal would obey escaped.
func quoted(s string) string {
	const most = 60
	if len(s) > most {
		return fmt.Sprintf("%.*q…", most, s)
	}
	return fmt.Sprintf("%q", s)
}
