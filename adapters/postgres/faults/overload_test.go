//go:build unix

package faults_test

import (
	"testing"

	"github.com/gostem/gostem/internal/faultsite"
)

func TestOverloadedWorkersLoseNoLease(t *testing.T) {
	faultsite.Overloaded(t, newSite(t, database.URL(t)))
}
