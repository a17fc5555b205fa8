package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"web-backend/internal/motion/motionpb"
)

const motionDownload = v1 + "motion_file_download"

// endMarker is the size of the message that ends the clips of an avatar.
const endMarker = 25

// motions measures the download of motion files. The test data has the size of
// the real files.
func (b *bench) motions() error {
	dir := filepath.Join(b.scratch, "motions")
	if err := writeMotionFiles(dir); err != nil {
		return err
	}
	var loads []float64
	for range b.rounds {
		began := time.Now()
		p, err := b.startBackend(filepath.Join(b.scratch, "motions-store"), "WEB_BACKEND_MOTION_DATA_DIR="+dir)
		if err == nil {
			err = fetch(b.ctx, p.address, v1+"motion_keywords") // the response waits until all files are loaded
			loads = append(loads, time.Since(began).Seconds())
			p.stop()
		}
		if err != nil {
			return err
		}
	}
	b.addMost("start until the motion files are loaded: 762 records, 90 clips, six meshes of 30 MB", "s", 3, loads, "")
	p, err := b.startBackend(filepath.Join(b.scratch, "motions-store"), append([]string{"WEB_BACKEND_MOTION_DATA_DIR=" + dir}, environment...)...)
	if err != nil {
		return err
	}
	defer p.stop()
	if err := b.oneDownload(p); err != nil {
		return err
	}
	return b.manyDownloads(p)
}

// oneDownload compares the downloads of one client at a time with those from a
// server that has the messages ready in memory.
func (b *bench) oneDownload(p *process) error {
	messages, err := b.clips(p.address)
	if err != nil {
		return err
	}
	file := filepath.Join(b.scratch, "messages")
	var content []byte
	for _, message := range messages {
		content = binary.LittleEndian.AppendUint64(content, uint64(len(message)))
		content = append(content, message...)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return err
	}
	bare, err := b.startPeer("", "bare-websocket", file)
	if err != nil {
		return err
	}
	defer bare.stop()
	const what = "download of the clips of one avatar"
	side := func(name string, p *process) side {
		return side{name: name, process: p, measure: func(length time.Duration) (load, error) {
			return downloadLoop(b.ctx, p.address, 1, length)
		}}
	}
	c, err := b.compare(side(what, p), side("bare WebSocket", bare))
	if err == nil {
		b.add(what, "bare WebSocket", 0.80, c, fmt.Sprintf("%d messages of %.1f MB", len(messages), float64(len(content))/1e6))
	}
	return err
}

// manyDownloads measures memory and the latency of /health while 20 clients
// download.
func (b *bench) manyDownloads(p *process) error {
	p.resetPeak()
	downloads, err := b.startPeer("", "downloads", p.address) // a separate process: clients must not wait for each other
	if err != nil {
		return err
	}
	defer downloads.stop()
	health, err := openLoop(b.ctx, p.address, 1, 100, b.length, func(int, int) []byte { return get("/health") })
	if err != nil {
		return err
	}
	b.addMost("20 clients download at once, peak memory", "MB", 200, []float64{float64(p.memory("VmHWM")) / 1e6}, "")
	b.addMost("/health while 20 clients download, p99", "ms", 20, []float64{float64(health.latency.ValueAtQuantile(99)) / 1000}, "100 requests a second")
	return nil
}

// downloadAtOnce runs 20 clients that download as fast as they can, for one
// minute or until this process is ended.
func downloadAtOnce(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("downloads: want the address of the server")
	}
	endWithInput()
	fmt.Println("listening on nothing: 20 clients download")
	_, err := downloadLoop(ctx, args[0], 20, time.Minute)
	return err
}

// clips returns the messages that the server sends for a request for the clips
// of an avatar.
func (b *bench) clips(address string) (messages [][]byte, err error) {
	conn, _, err := websocket.Dial(b.ctx, "ws://"+address+motionDownload, nil) //nolint:bodyclose // the WebSocket owns the body
	if err != nil {
		return nil, err
	}
	defer conn.CloseNow() //nolint:errcheck // the connection is no longer needed
	conn.SetReadLimit(-1)
	if err := conn.Write(b.ctx, websocket.MessageBinary, clipsRequest()); err != nil {
		return nil, err
	}
	for {
		_, message, err := conn.Read(b.ctx)
		if err != nil {
			return nil, err
		}
		if messages = append(messages, message); len(message) == endMarker {
			return messages, nil
		}
	}
}

func clipsRequest() []byte {
	request, err := proto.Marshal(&motionpb.MotionFileV1Request{ClassName: "MotionFileV1Request", Avatar: "Ani-default", AppName: "babylon"})
	if err != nil {
		panic(err)
	}
	return request
}

// downloadLoop runs clients that download the clips of an avatar again and
// again, each on one connection. They discard what they receive.
func downloadLoop(ctx context.Context, address string, clients int, length time.Duration) (load, error) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	handshake := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", motionDownload)
	request := clipsRequest()
	frame := append([]byte{0x82, 0x80 | byte(len(request)), 0, 0, 0, 0}, request...) //nolint:gosec // short request, zero mask
	return together(ctx, clients, address, func(c *connection, _ int, latency *hdrhistogram.Histogram) error {
		if _, err := c.conn.Write(handshake); err != nil {
			return err
		}
		if status, _, err := readAnswer(c.reader, nil); err != nil || status != http.StatusSwitchingProtocols {
			return fmt.Errorf("the handshake was answered with %d, %w", status, err)
		}
		for ctx.Err() == nil {
			_ = c.conn.SetDeadline(time.Now().Add(ioTimeout))
			began := time.Now()
			if _, err := c.conn.Write(frame); err != nil {
				return err
			}
			for size := 0; size != endMarker; {
				var err error
				if size, err = c.skipFrame(); err != nil {
					return err
				}
			}
			_ = latency.RecordValue(time.Since(began).Microseconds())
		}
		return nil
	})
}

// skipFrame reads and discards one frame from the server, and returns the size
// of its payload.
func (c *connection) skipFrame() (int, error) {
	head, err := c.reader.Peek(2)
	if err != nil {
		return 0, err
	}
	size, skip := int(head[1]), 2
	switch size {
	case 126:
		if head, err = c.reader.Peek(4); err == nil {
			size, skip = int(binary.BigEndian.Uint16(head[2:])), 4
		}
	case 127:
		if head, err = c.reader.Peek(10); err == nil {
			size, skip = int(binary.BigEndian.Uint64(head[2:])), 10 //nolint:gosec // a size
		}
	}
	if err != nil {
		return 0, err
	}
	_, err = c.reader.Discard(skip + size)
	return size, err
}

// serveBareWebSocket is the limit for a download: a server that answers each
// message with the messages of a file, which it holds in memory.
func serveBareWebSocket(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("bare-websocket: want the file with the messages")
	}
	content, err := os.ReadFile(args[0]) //nolint:gosec // the caller of this program names the file
	if err != nil {
		return err
	}
	var messages [][]byte
	for len(content) > 0 {
		size := binary.LittleEndian.Uint64(content)
		messages, content = append(messages, content[8:8+size]), content[8+size:]
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	endWithInput()
	fmt.Println("listening on", listener.Addr())
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // loopback only, for the benchmark
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow() //nolint:errcheck // the connection is no longer needed
		for {
			if _, _, err := conn.Read(ctx); err != nil {
				return
			}
			for _, message := range messages {
				if err := conn.Write(ctx, websocket.MessageBinary, message); err != nil {
					return
				}
			}
		}
	}))
}
