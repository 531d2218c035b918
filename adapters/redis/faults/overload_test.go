//go:build unix

package faults_test

import (
	"testing"

	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/testredis"
)

func TestOverloadedWorkersLoseNoLease(t *testing.T) {
	faultsite.Overloaded(t, newSite(t, testredis.Start(t, testredis.Config{}).URL()))
}
