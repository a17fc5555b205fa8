package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// connection is an HTTP/1.1 client that costs little, so that the load does not
// take the time of what it measures. It knows keep-alive and Content-Length,
// which all servers here use, and chunked bodies.
type connection struct {
	conn   net.Conn
	reader *bufio.Reader
}

const ioTimeout = 60 * time.Second

func dial(ctx context.Context, address string) (*connection, error) {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{conn, bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *connection) close() { _ = c.conn.Close() }

// do sends a whole request and reads the answer away; size is of its body.
func (c *connection) do(request []byte) (status, size int, err error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, 0, err
	}
	return readAnswer(c.reader, nil)
}

var contentLength, chunkedCoding = []byte("content-length:"), []byte("transfer-encoding: chunked")

// readAnswer reads one answer, and its body to body, unless that is nil.
func readAnswer(reader *bufio.Reader, body io.Writer) (status, size int, err error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, 0, fmt.Errorf("this is no HTTP/1.1 answer: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, fmt.Errorf("this is no status line: %q", line)
	}
	length, chunked := 0, false
	for {
		if line, err = reader.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case len(line) == 0:
			if chunked {
				size, err = readChunks(reader, body)
				return status, size, err
			}
			err := readBody(reader, body, length)
			return status, length, err
		case len(line) > len(contentLength) && bytes.EqualFold(line[:len(contentLength)], contentLength):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(contentLength):]))); err != nil || length < 0 {
				return 0, 0, fmt.Errorf("this is no length: %q", line)
			}
		case bytes.EqualFold(line, chunkedCoding):
			chunked = true
		}
	}
}

func readBody(reader *bufio.Reader, body io.Writer, length int) error {
	if body == nil {
		_, err := reader.Discard(length)
		return err
	}
	_, err := io.CopyN(body, reader, int64(length))
	return err
}

func readChunks(reader *bufio.Reader, body io.Writer) (size int, err error) {
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		length, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil || length < 0 {
			return 0, fmt.Errorf("this is no chunk: %q", line)
		}
		if err := readBody(reader, body, int(length)); err != nil {
			return 0, err
		}
		size += int(length)
		if _, err := reader.Discard(2); err != nil {
			return 0, err
		}
		if length == 0 {
			return size, nil
		}
	}
}

// get makes a GET request, post a POST of JSON, patch a PATCH of it.
func get(path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path)
}

func post(path, body string) []byte { return withBody("POST", path, body) }

func patch(path, body string) []byte { return withBody("PATCH", path, body) }

func withBody(method, path, body string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		method, path, len(body), body)
}

// load is what one run of load found.
type load struct {
	rate    float64                 // answers a second
	latency *hdrhistogram.Histogram // in µs
}

// newHistogram holds latencies from 1 µs to a minute with three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 60_000_000, 3) }

// request makes the n-th request of one worker.
type request func(worker, n int) []byte

// closedLoop has workers send one request after the other, each on a connection
// of its own, for so long. It ends at the first answer that is not 200.
func closedLoop(ctx context.Context, address string, workers int, length time.Duration, next request) (load, error) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	return together(ctx, workers, address, func(c *connection, worker int, latency *hdrhistogram.Histogram) error {
		for n := 0; ctx.Err() == nil; n++ {
			bytes, start := next(worker, n), time.Now()
			if err := c.expect200(bytes); err != nil {
				return err
			}
			_ = latency.RecordValue(time.Since(start).Microseconds())
		}
		return nil
	})
}

// openLoop has workers send requests at a fixed rate for so long, whether or
// not answers come in time. Latency counts from the moment in which a request
// was due, so that a server that halts cannot hide it (coordinated omission).
func openLoop(ctx context.Context, address string, workers int, rate float64, length time.Duration, next request) (load, error) {
	start := time.Now()
	interval := time.Duration(float64(workers) / rate * float64(time.Second))
	return together(ctx, workers, address, func(c *connection, worker int, latency *hdrhistogram.Histogram) error {
		due := start.Add(interval * time.Duration(worker) / time.Duration(workers))
		for n := 0; due.Sub(start) < length && ctx.Err() == nil; n++ {
			wait(ctx, time.Until(due))
			if err := c.expect200(next(worker, n)); err != nil {
				return err
			}
			_ = latency.RecordValue(time.Since(due).Microseconds())
			due = due.Add(interval)
		}
		return nil
	})
}

// wait returns after so long, or when ctx ends.
func wait(ctx context.Context, pause time.Duration) {
	if pause <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

func (c *connection) expect200(request []byte) error {
	_ = c.conn.SetDeadline(time.Now().Add(ioTimeout))
	status, _, err := c.do(request)
	if err == nil && status != 200 {
		line, _, _ := bytes.Cut(request, []byte("\r\n"))
		err = fmt.Errorf("got status %d for %s", status, line)
	}
	return err
}

// together runs work in so many workers, and adds up what they found.
func together(
	ctx context.Context, workers int, address string, work func(c *connection, worker int, latency *hdrhistogram.Histogram) error,
) (load, error) {
	found := load{latency: newHistogram()}
	var mu sync.Mutex
	var group sync.WaitGroup
	var failures []error
	start := time.Now()
	for worker := range workers {
		group.Go(func() {
			latency := newHistogram()
			c, err := dial(ctx, address)
			if err == nil {
				err = work(c, worker, latency)
				c.close()
			}
			mu.Lock()
			defer mu.Unlock()
			found.latency.Merge(latency)
			failures = append(failures, err)
		})
	}
	group.Wait()
	found.rate = float64(found.latency.TotalCount()) / time.Since(start).Seconds()
	return found, errors.Join(failures...)
}

// fetch makes a GET request whose answer is to be 200.
func fetch(ctx context.Context, address, path string) error {
	c, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer c.close()
	return c.expect200(get(path))
}
