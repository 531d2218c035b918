module github.com/gostem/gostem/bench/codec

go 1.26

require (
	github.com/google/go-cmp v0.7.0
	github.com/gostem/gostem v0.0.0
	github.com/tinylib/msgp v1.6.4
	github.com/vmihailenco/msgpack/v5 v5.4.1
)

require (
	github.com/philhofer/fwd v1.2.0 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
)

replace github.com/gostem/gostem => ../..
