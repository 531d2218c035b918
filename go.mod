module github.com/gostem/gostem

go 1.26

require (
	github.com/dave/jennifer v1.7.1
	golang.org/x/tools v0.34.0
)

require (
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/rogpeppe/go-internal v1.16.0 // indirect
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/mod v0.26.0 // indirect
	golang.org/x/sync v0.15.0 // indirect
	pgregory.net/rapid v1.3.0 // indirect
)

tool github.com/gostem/gostem/cmd/stemgen
