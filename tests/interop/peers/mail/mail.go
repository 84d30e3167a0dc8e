// mail.go: Go's net/smtp and net/textproto as a mail client: mail PROTOCOL starttls|implicit PORT CA FILE LOGIN,
// or mail PROTOCOL external PORT CA FILE LOGIN CERTIFICATE KEY: STARTTLS, and SASL EXTERNAL
//
// smtp, submission: sends the file. pop3: the first message into the file. nntp: posts the file, and puts what came
// back of it there. LOGIN: user:password, or nothing.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"regexp"
	"strings"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// external is the mechanism, which net/smtp leaves to its user.
type external struct{ user string }

func (e external) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "EXTERNAL", []byte(e.user), nil
}
func (e external) Next([]byte, bool) ([]byte, error) { return nil, nil }

type text struct{ *textproto.Conn }

// say sends a line; the answer must begin with want.
func (t text) say(want, format string, args ...any) string {
	must(t.PrintfLine(format, args...))
	return t.hear(want)
}

func (t text) hear(want string) string {
	line, err := t.ReadLine()
	must(err)
	if !strings.HasPrefix(line, want) {
		must(fmt.Errorf("%q, not %q", line, want))
	}
	return line
}

// connect goes through a greeting and the upgrade, if there is one.
func connect(addr string, c *tls.Config, implicit bool, greeting, verb, good string) text {
	if implicit {
		conn, err := tls.Dial("tcp", addr, c)
		must(err)
		t := text{textproto.NewConn(conn)}
		t.hear(greeting)
		return t
	}
	conn, err := net.Dial("tcp", addr)
	must(err)
	t := text{textproto.NewConn(conn)}
	t.hear(greeting)
	t.say(good, verb)
	return text{textproto.NewConn(tls.Client(conn, c))}
}

func send(addr string, c *tls.Config, implicit bool, login []string, mail []byte) {
	var s *smtp.Client
	var err error
	if implicit {
		conn, err := tls.Dial("tcp", addr, c)
		must(err)
		s, err = smtp.NewClient(conn, "localhost")
		must(err)
	} else {
		s, err = smtp.Dial(addr)
		must(err)
		must(s.Hello("client.test"))
		must(s.StartTLS(c))
	}
	if len(c.Certificates) > 0 {
		must(s.Auth(external{login[0]}))
	} else if len(login) == 2 {
		must(s.Auth(smtp.PlainAuth("", login[0], login[1], "localhost")))
	}
	must(s.Mail("alice@example.org"))
	must(s.Rcpt("joe@mail.test"))
	w, err := s.Data()
	must(err)
	_, err = w.Write(mail)
	must(err)
	must(w.Close())
	must(s.Quit())
}

func main() {
	proto, implicit, addr, file := os.Args[1], os.Args[2] == "implicit", "localhost:"+os.Args[3], os.Args[5]
	login := strings.SplitN(os.Args[6], ":", 2)
	pem, err := os.ReadFile(os.Args[4])
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c := &tls.Config{ServerName: "localhost", RootCAs: roots}
	if os.Args[2] == "external" {
		pair, err := tls.LoadX509KeyPair(os.Args[7], os.Args[8])
		must(err)
		c.Certificates = []tls.Certificate{pair}
	}
	mail, err := os.ReadFile(file)
	if proto != "pop3" {
		must(err)
	}
	switch proto {
	case "smtp", "submission":
		send(addr, c, implicit, login, mail)
	case "pop3":
		t := connect(addr, c, implicit, "+OK", "STLS", "+OK")
		if len(c.Certificates) > 0 {
			t.say("+OK", "AUTH EXTERNAL =")
		} else {
			t.say("+OK", "USER %s", login[0])
			t.say("+OK", "PASS %s", login[1])
		}
		t.say("+OK", "RETR 1")
		got, err := t.ReadDotBytes()
		must(err)
		must(os.WriteFile(file, got, 0o600))
		t.say("+OK", "QUIT")
	case "nntp":
		t := connect(addr, c, implicit, "20", "STARTTLS", "382")
		t.say("20", "MODE READER")
		if len(c.Certificates) > 0 {
			t.say("281", "AUTHINFO SASL EXTERNAL =")
		} else {
			t.say("381", "AUTHINFO USER %s", login[0])
			t.say("281", "AUTHINFO PASS %s", login[1])
		}
		t.say("340", "POST")
		w := t.DotWriter()
		_, err := w.Write(mail)
		must(err)
		must(w.Close())
		t.hear("240")
		t.say("220", "ARTICLE %s", regexp.MustCompile(`(?m)^Message-ID: (\S+)`).FindStringSubmatch(string(mail))[1])
		got, err := t.ReadDotBytes()
		must(err)
		must(os.WriteFile(file, got, 0o600))
		t.say("205", "QUIT")
	}
}
