// Narrows a macaroon with the Go library: prints the first argument with the other arguments as caveats.
package main

import (
	"encoding/base64"
	"fmt"
	"os"

	"gopkg.in/macaroon.v2"
)

func main() {
	if err := narrow(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func narrow(text string, caveats []string) error {
	bytes, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	var held macaroon.Macaroon
	if err := held.UnmarshalBinary(bytes); err != nil {
		return err
	}
	for _, caveat := range caveats {
		if err := held.AddFirstPartyCaveat([]byte(caveat)); err != nil {
			return err
		}
	}
	if bytes, err = held.MarshalBinary(); err != nil {
		return err
	}
	fmt.Println(base64.RawURLEncoding.EncodeToString(bytes))
	return nil
}
