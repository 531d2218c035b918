package freeport_test

import (
	"net"
	"testing"

	"github.com/gostem/gostem/internal/freeport"
)

func TestAPortAndItsBusCanBeListenedOn(t *testing.T) {
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []int{port, port + freeport.BusOffset} {
		l, err := net.Listen("tcp", freeport.Address(p))
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if p < 10_000 || p >= 32_768 { // where Linux begins to give ports away
			t.Errorf("got port %d, want one of 10000 to 32767", p)
		}
	}
}
