package mongotest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Fault is what a [Proxy] does to the connections that pass through it.
type Fault int

// The faults. All except Reset last until the proxy gets another fault.
const (
	None  Fault = iota
	Cut         // connections are closed, and new ones are closed at once
	Stall       // messages are held back, and passed on when the fault ends
	Slow        // each message takes [SlowBy] longer
	Reset       // one connection is reset; other and new connections work
)

// SlowBy is how long [Slow] delays each message.
const SlowBy = 20 * time.Millisecond

// Moment is the point in a command at which a fault begins.
type Moment int

// The moments.
const (
	BeforeCommand Moment = iota // the server does not see the command
	BeforeReply                 // the server has run the command, but its response is lost
)

// Proxy is between a client and a server. It understands enough of MongoDB's
// wire protocol to apply a fault at a chosen command.
type Proxy struct {
	listener net.Listener
	server   string
	tls      bool // towards clients

	mu       sync.Mutex
	fault    Fault
	changed  chan struct{} // closed when fault changes
	links    map[*link]bool
	strike   *strike
	struck   bool
	commands []Command
}

// Command is a command that a client sent.
type Command struct {
	Name string
	Body bson.Raw
	// Documents are the documents that are sent in addition to the body: the
	// inserted documents, and the single updates and deletes.
	Documents []bson.Raw
}

// strike is a fault that waits for a command.
type strike struct {
	fault     Fault
	moment    Moment
	countdown int
	request   uint32 // the command whose response the fault waits for
	link      *link
}

// link is a connection from a client and the matching connection to the server.
type link struct {
	client, server net.Conn
	ended          chan struct{}
	end            func()
	unanswered     map[uint32]bool // request ids of the commands without a response; guarded by Proxy.mu
}

// Proxy starts a proxy in front of s, for one test. The server must have one
// host and no TLS.
func (s *Server) Proxy(t testing.TB) *Proxy {
	t.Helper()
	return s.proxy(t, nil)
}

// TLSProxy is like [Server.Proxy], for clients that use TLS. caFile is a PEM
// file with the certificate that the clients must trust.
func (s *Server) TLSProxy(t testing.TB) (p *Proxy, caFile string) {
	t.Helper()
	pair, caFile := newCertificate(t)
	return s.proxy(t, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}), caFile
}

// newCertificate creates a self-signed certificate for 127.0.0.1, and a PEM
// file that contains it.
func newCertificate(t testing.TB) (pair tls.Certificate, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}, file
}

// proxy starts a proxy. Its clients use TLS, unless encrypted is nil.
func (s *Server) proxy(t testing.TB, encrypted *tls.Config) *Proxy {
	t.Helper()
	o := s.Options()
	if len(o.Hosts) != 1 || o.TLSConfig != nil {
		t.Skip("the proxy of the tests needs a MongoDB server of one host without TLS")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed when the test ends
	if err != nil {
		t.Fatalf("start the proxy of the test: %v", err)
	}
	if encrypted != nil {
		listener = tls.NewListener(listener, encrypted)
	}
	p := &Proxy{listener: listener, server: o.Hosts[0], tls: encrypted != nil, changed: make(chan struct{}), links: map[*link]bool{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.serve()
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		p.Set(Cut)
		<-done
	})
	return p
}

// Through returns uri with the host replaced by that of p. The client stays on
// that host, although the server reports its real address in its greeting.
func (p *Proxy) Through(uri string) string {
	parsed, err := url.Parse(uri)
	if err != nil {
		panic(err) // the URI of a server of one host
	}
	parsed.Host = p.Address()
	query := parsed.Query()
	query.Set("directConnection", "true")
	query.Del("replicaSet")
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

// Address returns the address of p as host:port.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Set starts a fault now, and ends any other fault.
func (p *Proxy) Set(fault Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.strike = nil
	p.set(fault)
}

func (p *Proxy) set(fault Fault) {
	if fault == Cut {
		for link := range p.links {
			link.end()
		}
	}
	p.fault = fault
	close(p.changed)
	p.changed = make(chan struct{})
}

// Strike starts a fault at the n-th command from now on, counted from 0.
// Greetings, logins and the end of sessions do not count.
func (p *Proxy) Strike(fault Fault, moment Moment, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.strike, p.struck, p.commands = &strike{fault: fault, moment: moment, countdown: n}, false, nil
}

// Struck reports whether the fault of the last [Proxy.Strike] has begun.
func (p *Proxy) Struck() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.struck
}

// Commands returns the commands that arrived since the last [Proxy.Strike].
func (p *Proxy) Commands() []Command {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.commands)
}

// Settle waits until the server has responded to every command that it
// received. That includes commands that a fault held back and whose client has
// disconnected.
func (p *Proxy) Settle(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(startTimeout); time.Now().Before(end); <-time.After(time.Millisecond) {
		if p.settled() {
			return
		}
	}
	t.Errorf("commands have no response after %s", startTimeout)
}

func (p *Proxy) settled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for link := range p.links {
		if len(link.unanswered) > 0 {
			return false
		}
	}
	return true
}

func (p *Proxy) serve() {
	var links sync.WaitGroup
	defer links.Wait()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		links.Go(func() { p.connect(client) })
	}
}

// connect serves one connection until either side, or a fault, ends it.
func (p *Proxy) connect(client net.Conn) {
	server, err := net.Dial("tcp", p.server) //nolint:noctx // refused or connected, on one machine
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{client: client, server: server, ended: make(chan struct{}), unanswered: map[uint32]bool{}}
	l.end = sync.OnceFunc(func() {
		close(l.ended)
		_ = client.Close()
		_ = server.Close()
	})
	defer l.end()

	p.mu.Lock()
	if p.fault == Cut {
		p.mu.Unlock()
		return
	}
	p.links[l] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	}()

	var both sync.WaitGroup
	both.Go(func() {
		p.pass(l, client, server, p.command)
		if half, ok := server.(*net.TCPConn); ok {
			_ = half.CloseWrite() // the server runs what it has read, and then closes the connection
		}
	})
	both.Go(func() {
		defer l.end()
		p.pass(l, server, client, p.reply)
	})
	both.Wait()
}

// pass passes messages from one side to the other. A message from a client goes
// to the server even if the client has disconnected by then, which can happen
// on a network.
func (p *Proxy) pass(l *link, from, to net.Conn, look func(l *link, message []byte)) {
	for {
		message, err := readMessage(from)
		if err != nil {
			return
		}
		look(l, message)
		if !p.wait(l) {
			return
		}
		if _, err := to.Write(message); err != nil {
			return
		}
	}
}

// wait delays a message as the fault requires, and reports whether to pass it
// on.
func (p *Proxy) wait(l *link) bool {
	for {
		p.mu.Lock()
		fault, changed := p.fault, p.changed
		p.mu.Unlock()
		switch fault {
		case Cut:
			return false
		case Stall:
			<-changed
		case Slow:
			select {
			case <-time.After(SlowBy):
			case <-l.ended:
			}
			return true
		default:
			return true
		}
	}
}

// uncounted are the commands that drivers send by themselves.
var uncounted = []string{"hello", "isMaster", "ismaster", "saslStart", "saslContinue", "endSessions"}

// command examines a message from a client.
func (p *Proxy) command(l *link, message []byte) {
	command, ok := parseCommand(message)
	if !ok || slices.Contains(uncounted, command.Name) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commands = append(p.commands, command)
	l.unanswered[binary.LittleEndian.Uint32(message[4:])] = true
	s := p.strike
	if s == nil || s.link != nil {
		return
	}
	if s.countdown--; s.countdown >= 0 {
		return
	}
	if s.moment == BeforeCommand {
		p.begin(l)
		return
	}
	s.link, s.request = l, binary.LittleEndian.Uint32(message[4:])
}

// reply examines a message from the server.
func (p *Proxy) reply(l *link, message []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	request := binary.LittleEndian.Uint32(message[8:])
	delete(l.unanswered, request)
	if p.tls {
		leaveReplicaSet(message)
	}
	s := p.strike
	if s != nil && s.link == l && s.request == request {
		p.begin(l)
	}
}

// leaveReplicaSet removes the name of the replica set from a greeting.
// Otherwise a client would continue with the members in the greeting, which do
// not use TLS.
func leaveReplicaSet(message []byte) {
	if at := bytes.Index(message, []byte("setName\x00")); at >= 0 {
		copy(message[at:], "noName_")
	}
}

// begin starts the waiting fault on a connection.
func (p *Proxy) begin(l *link) {
	fault := p.strike.fault
	p.strike, p.struck = nil, true
	if fault != Reset {
		p.set(fault)
		return
	}
	if client, ok := l.client.(*net.TCPConn); ok {
		_ = client.SetLinger(0) // makes Close reset the connection
	}
	l.end()
}

// Constants of MongoDB's wire protocol: the length of the header, and the
// operation code of all commands.
const (
	headerLength = 16
	opMsg        = 2013
)

func readMessage(from io.Reader) ([]byte, error) {
	header := make([]byte, headerLength)
	if _, err := io.ReadFull(from, header); err != nil {
		return nil, err
	}
	message := make([]byte, max(headerLength, binary.LittleEndian.Uint32(header)))
	copy(message, header)
	_, err := io.ReadFull(from, message[headerLength:])
	return message, err
}

// parseCommand parses a command from a message. ok is false if the message is
// not a command.
func parseCommand(message []byte) (c Command, ok bool) {
	const (
		flagsLength = 4
		body        = 0 // kinds of sections
		sequence    = 1
	)
	if binary.LittleEndian.Uint32(message[12:]) != opMsg || len(message) < headerLength+flagsLength {
		return c, false
	}
	sections := message[headerLength+flagsLength:]
	for len(sections) > 5 {
		kind, size := sections[0], int(binary.LittleEndian.Uint32(sections[1:]))
		if size < 5 || size >= len(sections) {
			break // a checksum
		}
		section := sections[1 : 1+size]
		sections = sections[1+size:]
		switch kind {
		case body:
			c.Body = section
		case sequence:
			_, documents, _ := bytes.Cut(section[4:], []byte{0})
			for len(documents) > 4 {
				size := binary.LittleEndian.Uint32(documents)
				c.Documents = append(c.Documents, documents[:size])
				documents = documents[size:]
			}
		}
	}
	elements, err := c.Body.Elements()
	if err != nil || len(elements) == 0 {
		return c, false
	}
	c.Name = elements[0].Key() // the first key is the name of the command
	return c, true
}
