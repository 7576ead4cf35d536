module keywright/test/holders/go-macaroon

go 1.21

require gopkg.in/macaroon.v2 v2.1.0

require (
	golang.org/x/crypto v0.31.0 // indirect
	golang.org/x/sys v0.28.0 // indirect
)
