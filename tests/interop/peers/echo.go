// echo.go: Go's crypto/tls as a peer: echo client|server PORT key=value... (see programs.py)
//
// The client sends 200 kB in pieces, wants each back, and leaves with 0. The server echoes until it is stopped.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

var versions = map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// Numbers, since the name of the last one is younger than Debian 12.
var groups = map[string]tls.CurveID{"x25519": 0x1d, "secp256r1": 0x17, "secp384r1": 0x18, "secp521r1": 0x19, "X25519MLKEM768": 0x11ec}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func config(o map[string]string) *tls.Config {
	c := &tls.Config{ServerName: o["name"], MinVersion: versions[o["version"]], MaxVersion: versions[o["version"]]}
	pem, err := os.ReadFile(o["ca"])
	must(err)
	c.RootCAs = x509.NewCertPool()
	c.RootCAs.AppendCertsFromPEM(pem)
	if o["cert"] != "" {
		pair, err := tls.LoadX509KeyPair(o["cert"], o["key"])
		must(err)
		c.Certificates = []tls.Certificate{pair}
	}
	if o["clientauth"] != "" {
		c.ClientCAs, c.ClientAuth = c.RootCAs, tls.RequireAndVerifyClientCert
	}
	if o["group"] != "" {
		c.CurvePreferences = []tls.CurveID{groups[o["group"]]}
	}
	if o["alpn"] != "" {
		c.NextProtos = strings.Split(o["alpn"], ",")
	}
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if s.Name == o["suite"] && o["version"] != "1.3" {
			c.CipherSuites = []uint16{s.ID}
		}
	}
	if o["resume"] != "" {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	}
	return c
}

func client(port string, c *tls.Config) {
	conn, err := tls.Dial("tcp", "127.0.0.1:"+port, c)
	must(err)
	back := make([]byte, 8000)
	for i := 0; i < 25; i++ {
		piece := bytes.Repeat([]byte{byte('a' + i)}, len(back))
		_, err = conn.Write(piece)
		must(err)
		_, err = io.ReadFull(conn, back)
		must(err)
		if !bytes.Equal(piece, back) {
			must(fmt.Errorf("piece %d came back changed", i))
		}
	}
	must(conn.Close())
}

func serve(conn net.Conn) {
	defer conn.Close()
	if _, err := io.Copy(conn, conn); err != nil {
		fmt.Println(err)
	}
}

func main() {
	o := map[string]string{}
	for _, word := range os.Args[3:] {
		key, value, _ := strings.Cut(word, "=")
		o[key] = value
	}
	c := config(o)
	if os.Args[1] == "client" {
		client(os.Args[2], c)
		if o["resume"] != "" {
			client(os.Args[2], c)
		}
		return
	}
	l, err := tls.Listen("tcp", "127.0.0.1:"+os.Args[2], c)
	must(err)
	for {
		conn, err := l.Accept()
		must(err)
		go serve(conn)
	}
}
